#pragma once

#include <gtest/gtest.h>

#include "link/link_pair.h"

namespace apollo {

// Tests that a receiver which does not handle its frames holds up the sender,
// and that such a link still ends. For every implementation that is made from
// LinkLimits.

inline LinkLimits SmallLimits() {
  LinkLimits limits;
  limits.watermark_bytes = 1 << 20;
  limits.unhandled_bytes = 1 << 20;
  return limits;
}

inline Frame LargeFrame() {
  return {ExpertRows{1, 0, 0}, Rows::Host(1 << 14, 1)};
}

template <typename T>
class Backpressure : public testing::Test {
 protected:
  // Sends until the receiver, which keeps all frames, blocks the sender.
  void Fill(int from = 0) {
    pair_.link[from]->Send({ExpertRows{0, 0, 0}, {}});
    while (pair_.link[from]->HasRoom()) pair_.link[from]->Send(LargeFrame());
  }
  T pair_{SmallLimits()};
};
TYPED_TEST_SUITE_P(Backpressure);

TYPED_TEST_P(Backpressure, EndsWhenTheReceiverReleasesItsFrames) {
  Pair& pair = this->pair_;
  for (const int from : {0, 1}) {
    this->Fill(from);
    EXPECT_FALSE(pair.link[from]->HasRoom());
    pair.at[1 - from]->StopKeeping();
    pair.at[from]->WaitForWritable();
    EXPECT_EQ(pair.at[from]->times_closed(), 0u);
  }
}

TYPED_TEST_P(Backpressure, ABlockedLinkCanBeClosedFromEitherEnd) {
  for (const int closer : {0, 1}) {
    TypeParam pair(SmallLimits());
    for (const int from : {0, 1}) {
      pair.link[from]->Send({ExpertRows{0, 0, 0}, {}});
      while (pair.link[from]->HasRoom()) pair.link[from]->Send(LargeFrame());
    }
    pair.link[closer]->Close();
    EXPECT_TRUE(pair.at[closer]->WaitForClosed().ok());
    // The other end may learn of it only after the frames that it still holds.
    pair.at[1 - closer]->StopKeeping();
    EXPECT_FALSE(pair.at[1 - closer]->WaitForClosed().ok());
  }
}

// Nobody handles the frames that hold up the reading, and a write of the other
// end fails: that must be enough.
TYPED_TEST_P(Backpressure, ABlockedLinkLearnsThatItsPeerHasEnded) {
  for (const int closer : {0, 1}) {
    TypeParam pair(SmallLimits());
    for (const int from : {0, 1}) {
      pair.link[from]->Send({ExpertRows{0, 0, 0}, {}});
      // More than a transport accepts.
      for (int i = 0; i < 1000; ++i) pair.link[from]->Send(LargeFrame());
    }
    for (const int end : {0, 1}) pair.at[end]->WaitForFrames(17);
    pair.link[closer]->Close();
    EXPECT_TRUE(pair.at[closer]->WaitForClosed().ok());
    EXPECT_FALSE(pair.at[1 - closer]->WaitForClosed().ok());
  }
}

TYPED_TEST_P(Backpressure, SendingWithoutRoomEndsTheLink) {
  LinkLimits limits = SmallLimits();
  limits.queue_bytes = 2 << 20;
  TypeParam pair(limits);
  pair.link[0]->Send({ExpertRows{0, 0, 0}, {}});
  // The transport may accept some more.
  for (int i = 0; i < 100000 && pair.at[0]->times_closed() == 0; ++i) {
    pair.link[0]->Send(LargeFrame());
  }
  EXPECT_EQ(pair.at[0]->WaitForClosed().code(),
            absl::StatusCode::kResourceExhausted);
  pair.at[1]->StopKeeping();
  EXPECT_FALSE(pair.at[1]->WaitForClosed().ok());
}

REGISTER_TYPED_TEST_SUITE_P(Backpressure, EndsWhenTheReceiverReleasesItsFrames,
                            ABlockedLinkCanBeClosedFromEitherEnd,
                            ABlockedLinkLearnsThatItsPeerHasEnded,
                            SendingWithoutRoomEndsTheLink);

}  // namespace apollo

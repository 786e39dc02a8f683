#include "link/look_watch.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

constexpr absl::Duration kLease = absl::Milliseconds(300);
constexpr absl::Duration kTick = absl::Milliseconds(50);

TEST(LookWatchTest, AfterALateLookNobodyIsJudgedForALease) {
  LookWatch looks(kLease);
  absl::Duration now = absl::Seconds(1000);
  const auto look = [&](absl::Duration passed) {
    now += passed;
    return looks.Look(now);
  };
  EXPECT_TRUE(look(kTick));
  EXPECT_TRUE(look(kLease / 2));
  EXPECT_FALSE(look(absl::Seconds(10)));  // It was frozen.
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(look(kTick)) << i;
  EXPECT_TRUE(look(kTick));
  EXPECT_FALSE(look(kLease / 2 + kTick));
}

TEST(AttentionWatchTest, LooksThatAreLateForTheLeaseDoNotPutTheTimeOutOff) {
  AttentionWatch looks(kLease, absl::Seconds(30));
  for (absl::Duration now = absl::Seconds(1); now < absl::Minutes(2);
       now += kLease * 0.6) {
    const Attentiveness attention = looks.Look(now);
    EXPECT_EQ(attention.lease, now == absl::Seconds(1));
    EXPECT_TRUE(attention.timeout);
  }
  EXPECT_FALSE(looks.Look(absl::Minutes(3)).timeout);  // It was frozen.
}

TEST(LookWatchTest, WithoutALeaseNoLookIsLate) {
  LookWatch looks(absl::InfiniteDuration());
  EXPECT_TRUE(looks.Look(absl::Seconds(1)));
  EXPECT_TRUE(looks.Look(absl::Hours(1)));
}

}  // namespace
}  // namespace apollo

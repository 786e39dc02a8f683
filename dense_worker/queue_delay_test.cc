#include "dense_worker/queue_delay.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

// Admits `tokens` tokens twice a second for `seconds` seconds.
absl::Duration Admit(QueueDelay& delay, absl::Duration from, int seconds,
                     int tokens) {
  absl::Duration now = from;
  for (int i = 0; i < 2 * seconds; ++i) {
    delay.Admitted(tokens, now);
    now += absl::Milliseconds(500);
  }
  return now;
}

TEST(QueueDelayTest, NothingIsKnownBeforeTheFirstAdmission) {
  EXPECT_EQ(QueueDelay().Estimate(1, absl::Seconds(5)), QueueDelay::kMost);
}

TEST(QueueDelayTest, TheQueueDividedByTheRate) {
  for (const int seconds : {3, 10, 100}) {
    QueueDelay delay;
    const absl::Duration now = Admit(delay, absl::Seconds(7), seconds, 500);
    // 1,000 tokens per second.
    EXPECT_NEAR(absl::ToDoubleSeconds(delay.Estimate(8000, now)), 8, 0.5)
        << seconds;
  }
}

TEST(QueueDelayTest, StaysWithinItsBounds) {
  QueueDelay delay;
  const absl::Duration now = Admit(delay, absl::Seconds(7), 20, 500);
  EXPECT_EQ(delay.Estimate(0, now), QueueDelay::kLeast);
  EXPECT_EQ(delay.Estimate(100, now), QueueDelay::kLeast);
  EXPECT_EQ(delay.Estimate(1 << 30, now), QueueDelay::kMost);
}

TEST(QueueDelayTest, GrowsWhileNothingIsAdmitted) {
  QueueDelay delay;
  const absl::Duration now = Admit(delay, absl::Seconds(7), 20, 500);
  EXPECT_GT(delay.Estimate(4000, now + absl::Seconds(5)),
            delay.Estimate(4000, now) + absl::Seconds(2));
  EXPECT_EQ(delay.Estimate(4000, now + absl::Hours(10)), QueueDelay::kMost);
}

}  // namespace
}  // namespace apollo

#include "dense_worker/queue_bound.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(QueueBoundTest, BothBoundsAreExact) {
  const QueueSize bound = {3, 100};
  EXPECT_TRUE(CheckQueue(bound, {2, 60}, 40).ok());
  EXPECT_EQ(CheckQueue(bound, {2, 60}, 41),
            absl::ResourceExhaustedError(
                "the waiting requests have 60 tokens; with the 41 of this one "
                "they would have more than 100 (--max_waiting_tokens); try "
                "again later"));
  EXPECT_EQ(CheckQueue(bound, {3, 3}, 1),
            absl::ResourceExhaustedError(
                "3 requests are waiting, the most that may (--max_waiting); "
                "try again later"));
}

TEST(QueueBoundTest, AnEmptyQueueTakesAnySequence) {
  EXPECT_TRUE(CheckQueue({1, 10}, {}, 1000).ok());
}

TEST(QueueBoundTest, TheWaitIsBoundedByWhatRuns) {
  EXPECT_TRUE(CheckWait(0.5, 64, 31).ok());
  EXPECT_EQ(CheckWait(0.5, 64, 32),
            absl::ResourceExhaustedError(
                "32 requests are waiting for the room of 64; at most 16 may, "
                "or 0.5 for each of those (--max_waiting_per_running); try "
                "again later"));
  EXPECT_TRUE(CheckWait(2, 64, 127).ok());
  EXPECT_FALSE(CheckWait(2, 64, 128).ok());
}

TEST(QueueBoundTest, AFewMayAlwaysWait) {
  EXPECT_TRUE(CheckWait(0.5, 1, kLeastWaiting - 1).ok());
  EXPECT_FALSE(CheckWait(0.5, 1, kLeastWaiting).ok());
}

TEST(QueueBoundTest, WithoutAShareTheWaitIsNotBounded) {
  EXPECT_TRUE(CheckWait(0, 1, 1000).ok());
}

}  // namespace
}  // namespace apollo

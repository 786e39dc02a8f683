#include "common/progress_watch.h"

#include <gtest/gtest.h>

#include "common/fake_clock.h"

namespace apollo {
namespace {

class ProgressWatchTest : public testing::Test {
 protected:
  // Asks every 100 ms for that time, and returns the last answer.
  bool MovesFor(absl::Duration time, std::uint64_t value) {
    bool moves = true;
    const absl::Duration end = clock_.now + time;
    while (clock_.now < end) {
      clock_.now += absl::Milliseconds(100);
      moves = watch_.Moves(value);
    }
    return moves;
  }

  FakeClock clock_;
  ProgressWatch watch_{absl::Seconds(30), clock_};
};

TEST_F(ProgressWatchTest, ANumberThatStandsStillForTooLongDoesNotMove) {
  EXPECT_TRUE(watch_.Moves(0));
  EXPECT_TRUE(MovesFor(absl::Seconds(30), 0));
  clock_.now += absl::Milliseconds(1);
  EXPECT_FALSE(watch_.Moves(0));
  EXPECT_FALSE(watch_.Moves(0));
  EXPECT_TRUE(watch_.Moves(7));  // Any other number will do.
  EXPECT_TRUE(watch_.Moves(6));
  EXPECT_FALSE(MovesFor(absl::Seconds(31), 6));
}

// As after a suspension of the machine: whoever makes progress has had no time
// to do so.
TEST_F(ProgressWatchTest, AProcessThatStoodStillAsAWholeIsNotJudged) {
  EXPECT_TRUE(watch_.Moves(1));
  EXPECT_TRUE(MovesFor(absl::Seconds(20), 1));
  clock_.now += absl::Hours(1);
  EXPECT_TRUE(watch_.Moves(1));
  EXPECT_TRUE(MovesFor(absl::Seconds(9), 1));
  EXPECT_FALSE(MovesFor(absl::Seconds(1), 1));  // The freeze counts as 1 s.
}

TEST_F(ProgressWatchTest, ALongTimeWithoutAQuestionIsNoStandstill) {
  EXPECT_TRUE(watch_.Moves(1));
  clock_.now += absl::Hours(1);
  EXPECT_TRUE(watch_.Moves(2));
  EXPECT_TRUE(watch_.Moves(2));
}

}  // namespace
}  // namespace apollo

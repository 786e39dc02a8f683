#include "common/progress_watch.h"

#include <gtest/gtest.h>

#include "common/fake_clock.h"

namespace apollo {
namespace {

TEST(ProgressWatchTest, ANumberThatStandsStillForTooLongDoesNotMove) {
  FakeClock clock;
  ProgressWatch watch(absl::Seconds(30), clock);
  EXPECT_TRUE(watch.Moves(0));
  clock.now += absl::Seconds(30);
  EXPECT_TRUE(watch.Moves(0));
  clock.now += absl::Milliseconds(1);
  EXPECT_FALSE(watch.Moves(0));
  EXPECT_FALSE(watch.Moves(0));
  EXPECT_TRUE(watch.Moves(7));  // Any other number will do.
  EXPECT_TRUE(watch.Moves(6));
  clock.now += absl::Seconds(31);
  EXPECT_FALSE(watch.Moves(6));
}

TEST(ProgressWatchTest, ALongTimeWithoutAQuestionIsNoStandstill) {
  FakeClock clock;
  ProgressWatch watch(absl::Seconds(30), clock);
  EXPECT_TRUE(watch.Moves(1));
  clock.now += absl::Hours(1);
  EXPECT_TRUE(watch.Moves(2));
  EXPECT_TRUE(watch.Moves(2));
}

}  // namespace
}  // namespace apollo

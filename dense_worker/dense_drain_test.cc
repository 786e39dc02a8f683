#include "dense_worker/dense_drain.h"

#include <gtest/gtest.h>

#include "common/fake_clock.h"
#include "dense_worker/router_reports.h"

namespace apollo {
namespace {

class DenseDrainTest : public testing::Test {
 protected:
  DenseDrain Begin(bool move) {
    return DenseDrain({.move = move, .timeout = absl::Seconds(30)},
                      {.calls = [this] { return calls_; },
                       .has_routers = [this] { return has_routers_; },
                       .has_others = [this] { return has_others_; },
                       .hand_over = [this] { ++handed_over_; }},
                      clock_);
  }

  FakeClock clock_;
  int calls_ = 1;
  bool has_routers_ = true;
  bool has_others_ = true;
  int handed_over_ = 0;
};

TEST_F(DenseDrainTest, SequencesMoveOnceRoutersHaveNoticed) {
  DenseDrain drain = Begin(/*move=*/true);
  clock_.now += DenseDrain::kNotice - absl::Milliseconds(1);
  EXPECT_FALSE(drain.Step());
  EXPECT_EQ(handed_over_, 0);
  clock_.now += absl::Milliseconds(1);
  EXPECT_FALSE(drain.Step());
  EXPECT_EQ(handed_over_, 1);
  EXPECT_FALSE(drain.Step());  // A sequence that came meanwhile moves, too.
  EXPECT_EQ(handed_over_, 2);
  calls_ = 0;
  EXPECT_TRUE(drain.Step());
}

TEST_F(DenseDrainTest, WithoutOthersSequencesFinish) {
  has_others_ = false;
  DenseDrain drain = Begin(/*move=*/true);
  clock_.now += absl::Seconds(29);
  EXPECT_FALSE(drain.Step());
  EXPECT_EQ(handed_over_, 0);
  has_others_ = true;  // Another worker has been started.
  EXPECT_FALSE(drain.Step());
  EXPECT_EQ(handed_over_, 1);
}

TEST_F(DenseDrainTest, FinishingNeedsNobody) {
  DenseDrain drain = Begin(/*move=*/false);
  clock_.now += absl::Seconds(29);
  EXPECT_FALSE(drain.Step());
  EXPECT_EQ(handed_over_, 0);
  calls_ = 0;
  EXPECT_TRUE(drain.Step());
}

TEST_F(DenseDrainTest, ThoseThatAreLeftAfterTheTimeOutMove) {
  has_others_ = false;
  DenseDrain drain = Begin(/*move=*/false);
  clock_.now += absl::Seconds(30);
  EXPECT_FALSE(drain.Step());
  EXPECT_EQ(handed_over_, 1);
  clock_.now += DenseDrain::kLastMoves;
  EXPECT_TRUE(drain.Step());
}

TEST_F(DenseDrainTest, AnIdleWorkerWaitsOnlyForRouters) {
  calls_ = 0;
  DenseDrain drain = Begin(/*move=*/true);
  EXPECT_FALSE(drain.Step());
  has_routers_ = false;
  EXPECT_TRUE(drain.Step());
}

TEST(RouterReportsTest, EveryRouterNeedsOthers) {
  FakeClock clock;
  RouterReports reports(clock);
  EXPECT_FALSE(reports.Polled());
  EXPECT_FALSE(reports.AllHaveOthers());
  reports.Add(2);
  EXPECT_TRUE(reports.Polled());
  EXPECT_TRUE(reports.AllHaveOthers());
  reports.Add(0);
  EXPECT_FALSE(reports.AllHaveOthers());
  clock.now += RouterReports::kLately + absl::Milliseconds(1);
  EXPECT_FALSE(reports.Polled());
  reports.Add(std::nullopt);  // A router of an older version.
  EXPECT_TRUE(reports.Polled());
  reports.Add(1);
  EXPECT_FALSE(reports.AllHaveOthers());
  clock.now += RouterReports::kLately + absl::Milliseconds(1);
  reports.Add(1);
  EXPECT_TRUE(reports.AllHaveOthers());
}

}  // namespace
}  // namespace apollo

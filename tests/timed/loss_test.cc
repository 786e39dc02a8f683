// What the loss of one of several expert workers costs, in virtual time. Two
// shared cores of a test machine cannot show capacity; these cores can.
#include <gtest/gtest.h>

#include <iostream>
#include <set>

#include "tests/timed/timed_cluster.h"
#include "tests/timed/traffic.h"

namespace apollo {
namespace {

const LayerExperts kAll = {0, 1, 2, 3, 4, 5, 6};

TimedCluster::Options FourWorkers() {
  TimedCluster::Options options;
  options.experts = {kAll, kAll, kAll, kAll};
  options.dense_cost = {absl::Microseconds(200), absl::Microseconds(10),
                        absl::Nanoseconds(100)};
  options.dense.scheduler.max_running = 256;
  return options;
}

// Returns the tokens of a request that runs alone and undisturbed.
std::vector<std::int32_t> Undisturbed(const GenerationRequest& request) {
  VirtualTime time;
  TimedCluster cluster({}, time);
  const auto sink = cluster.Submit(0, request);
  time.RunUntil(time.Now() + absl::Seconds(30));
  EXPECT_TRUE(sink->finished);
  EXPECT_TRUE(sink->status.ok()) << sink->status;
  return sink->tokens;
}

void ExpectWhole(const Traffic& traffic) {
  ASSERT_FALSE(traffic.answers().empty());
  for (std::size_t i = 0; i < traffic.answers().size(); ++i) {
    const Traffic::Answer& answer = traffic.answers()[i];
    ASSERT_TRUE(answer.sink->finished) << i;
    EXPECT_TRUE(answer.sink->status.ok()) << i << ": " << answer.sink->status;
    if (i % 16 == 0) {
      EXPECT_EQ(answer.sink->tokens, Undisturbed(answer.request)) << i;
    }
  }
}

class LossTest : public testing::Test {
 protected:
  // Runs traffic at a share of the capacity of four workers, loses one of them
  // after 10 s, and returns the rate in the 10 s from then on, as a share of
  // the rate before.
  double Kept(void (TimedCluster::*lose)(int), double share) {
    VirtualTime time;
    TimedCluster cluster(FourWorkers(), time);
    const absl::Duration start = time.Now();
    // Measured: what four workers answer when far too much arrives.
    Traffic::Options load;
    load.rates.assign(7, share * kCapacity / 7 / load.new_tokens);
    Traffic traffic(load, cluster, time);
    time.RunUntil(start + absl::Seconds(10));
    (cluster.*lose)(1);
    time.RunUntil(start + absl::Seconds(20));
    traffic.Stop();
    time.RunUntil(start + absl::Seconds(60));
    ExpectWhole(traffic);
    const double before =
        traffic.Rate(start + absl::Seconds(2), start + absl::Seconds(10));
    const double after =
        traffic.Rate(start + absl::Seconds(10), start + absl::Seconds(20));
    std::cout << "tokens/s before " << before << ", after " << after
              << "; longest pause before "
              << traffic.Pause(1, start, start + absl::Seconds(10))
              << ", after "
              << traffic.Pause(1, start + absl::Seconds(10),
                               start + absl::Seconds(20))
              << std::endl;
    return after / before;
  }

  // Tokens per second that four workers give when more requests arrive than
  // they can serve: see CapacityIsKnown.
  static constexpr double kCapacity = 2400;
};

TEST_F(LossTest, CapacityIsKnown) {
  VirtualTime time;
  TimedCluster cluster(FourWorkers(), time);
  const absl::Duration start = time.Now();
  Traffic::Options load;
  load.rates.assign(7, 2 * kCapacity / 7 / load.new_tokens);
  Traffic traffic(load, cluster, time);
  time.RunUntil(start + absl::Seconds(5));
  const double rate =
      traffic.Rate(start + absl::Seconds(2), start + absl::Seconds(5));
  std::cout << "capacity: " << rate << " tokens/s" << std::endl;
  EXPECT_NEAR(rate, kCapacity, 0.1 * kCapacity);
}

TEST_F(LossTest, ThreeOfFourCarryTheLoad) {
  EXPECT_GE(Kept(&TimedCluster::KillExpert, 0.6), 0.98);
}

TEST_F(LossTest, AFrozenWorkerIsLeft) {
  EXPECT_GE(Kept(&TimedCluster::FreezeExpert, 0.6), 0.98);
}

}  // namespace
}  // namespace apollo

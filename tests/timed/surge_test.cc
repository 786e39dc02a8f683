// A surge of one family, in virtual time: with --placement=auto replicas of its
// expert appear within seconds, and answers are as fast as before.
#include <absl/time/time.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <iostream>
#include <set>

#include "common/layer_experts.h"
#include "dense_worker/pinning.h"
#include "tests/timed/timed_cluster.h"
#include "tests/timed/traffic.h"
#include "tests/timed/virtual_time.h"

namespace apollo {
namespace {

constexpr int kFamilies = 7;
constexpr int kSurging = 6;
// Each holds one expert, and there is room for no more: a replica of one expert
// takes the place of one of another.
constexpr int kWorkers = 14;
// Requests per second of a family and of the one that surges, at first; then
// this one has ten times as many. Its two workers then compute for two thirds
// of the time, and the others for less than a quarter. With four holders
// answers wait little longer than before, though the whole cluster has four
// times as much to do.
constexpr double kRate = 0.5, kSurgingRate = 2;
constexpr double kFactor = 10;

constexpr absl::Duration kBefore = absl::Seconds(30);
constexpr absl::Duration kLong = absl::Seconds(40);

struct Surge {
  // The 99th percentile of pauses: in the last 20 s before the surge, in its
  // first 10 s, and in the other 30 s.
  absl::Duration before, at_first, then;
  // Workers that hold the family's expert: before, 5 s after the begin, and at
  // the end.
  int holders_before = 0, holders_soon = 0, holders_then = 0;
};

class SurgeTest : public testing::Test {
 protected:
  static TimedCluster::Options ClusterOptions(bool automatic);
  // Runs usual traffic, a surge, and again usual traffic, and checks that
  // nothing is lost.
  static Surge Run(bool automatic);
};

// Expects that every request has its answer, and samples of them the one that a
// single worker with all experts gives.
void ExpectSameTokens(const Traffic& traffic) {
  ASSERT_FALSE(traffic.answers().empty());
  for (std::size_t i = 0; i < traffic.answers().size(); ++i) {
    const Traffic::Answer& answer = traffic.answers()[i];
    ASSERT_TRUE(answer.sink->finished) << i;
    ASSERT_TRUE(answer.sink->status.ok()) << i << ": " << answer.sink->status;
    if (i % 64 != 0) continue;
    VirtualTime time;
    TimedCluster alone({}, time);
    const auto sink = alone.Submit(0, answer.request);
    time.RunUntil(time.Now() + absl::Seconds(30));
    EXPECT_EQ(answer.sink->tokens, sink->tokens) << i;
  }
}

TimedCluster::Options SurgeTest::ClusterOptions(bool automatic) {
  TimedCluster::Options options;
  options.experts.clear();
  for (int w = 0; w < kWorkers; ++w) {
    options.experts.push_back(LayerExperts(std::set<int>{w % kFamilies}));
  }
  // Experts are what takes time: neither the dense worker nor attention.
  options.dense_cost = {absl::Microseconds(200), absl::Microseconds(10),
                        absl::Nanoseconds(100)};
  options.expert_cost.row = absl::Microseconds(20);
  options.expert_cost.expert_row = absl::Microseconds(250);
  options.dense.scheduler.max_running = 1024;
  options.dense.pinning = Pinning::kPrefer;
  options.expert.placement.automatic = automatic;
  return options;
}

Surge SurgeTest::Run(bool automatic) {
  VirtualTime time;
  TimedCluster cluster(ClusterOptions(automatic), time);
  Traffic::Options load;
  load.rates.assign(kFamilies, kRate);
  load.rates[kSurging] = kSurgingRate;
  const absl::Duration begin = time.Now() + kBefore;
  const absl::Duration end = begin + kLong;
  Traffic traffic(load, cluster, time);
  Surge result;
  time.RunUntil(begin);
  result.holders_before = cluster.Holders(kSurging);
  traffic.SetRate(kSurging, kFactor * kSurgingRate);
  time.RunUntil(begin + absl::Seconds(5));
  result.holders_soon = cluster.Holders(kSurging);
  time.RunUntil(end);
  result.holders_then = cluster.Holders(kSurging);
  traffic.SetRate(kSurging, kSurgingRate);
  time.RunUntil(end + absl::Seconds(10));
  traffic.Stop();
  time.RunUntil(end + absl::Seconds(60));
  ExpectSameTokens(traffic);
  result.before = traffic.Pause(0.99, begin - absl::Seconds(20), begin);
  result.at_first = traffic.Pause(0.99, begin, begin + absl::Seconds(10));
  result.then = traffic.Pause(0.99, begin + absl::Seconds(10), end);
  std::cout << (automatic ? "auto" : "fixed") << ": p99 before "
            << result.before << ", in the first 10 s " << result.at_first
            << ", then " << result.then << "; holders " << result.holders_before
            << ", after 5 s " << result.holders_soon << ", then "
            << result.holders_then << "; tokens/s before "
            << traffic.Rate(begin - absl::Seconds(20), begin) << ", then "
            << traffic.Rate(begin + absl::Seconds(10), end) << std::endl;
  return result;
}

TEST_F(SurgeTest, AnswersAreAsFastAsBeforeWithin10Seconds) {
  const Surge placed = Run(/*automatic=*/true);
  EXPECT_GT(placed.holders_soon, placed.holders_before);
  EXPECT_GT(placed.holders_then, placed.holders_before);
  EXPECT_LE(placed.then, 1.2 * placed.before);
}

// The same surge without moves: so it is the replicas that help.
TEST_F(SurgeTest, WithAFixedPlacementTheyStaySlow) {
  const Surge fixed = Run(/*automatic=*/false);
  EXPECT_EQ(fixed.holders_then, fixed.holders_before);
  EXPECT_GT(fixed.then, 1.5 * fixed.before);
}

}  // namespace
}  // namespace apollo

// A surge of one family, in virtual time: with --placement=auto replicas of its
// expert appear within seconds, and answers are as fast as before.
#include <absl/time/time.h>
#include <gtest/gtest.h>

#include <iostream>
#include <vector>

#include "dense_worker/pinning.h"
#include "tests/timed/timed_cluster.h"
#include "tests/timed/traffic.h"

namespace apollo {
namespace {

constexpr int kFamilies = 7;
constexpr int kSurging = 6;
constexpr int kWorkers = 7;
// Requests per second of a family, at first; then the surging one has ten times
// as many. The cluster has room for all of them only together.
constexpr double kRate = 4.5;
constexpr double kFactor = 10;

struct Surge {
  absl::Duration before, during, after;  // The 99th percentile of pauses.
  int holders_before = 0, holders_after = 0;
};

class SurgeTest : public testing::Test {
 protected:
  // Runs 30 s of usual traffic, a surge of 40 s, and again usual traffic, on
  // workers that hold three experts each. `during` is the first 10 s of the
  // surge, `after` the next 30 s.
  static Surge Run(Pinning pinning, bool automatic);
};

void ExpectSameTokens(const Traffic& traffic) {
  ASSERT_FALSE(traffic.answers().empty());
  for (std::size_t i = 0; i < traffic.answers().size(); ++i) {
    const Traffic::Answer& answer = traffic.answers()[i];
    ASSERT_TRUE(answer.sink->finished) << i;
    ASSERT_TRUE(answer.sink->status.ok()) << i << ": " << answer.sink->status;
    if (i % 64 != 0) continue;
    VirtualTime time;
    TimedCluster alone({}, time);  // One worker with all experts.
    const auto sink = alone.Submit(0, answer.request);
    time.RunUntil(time.Now() + absl::Seconds(30));
    EXPECT_EQ(answer.sink->tokens, sink->tokens) << i;
  }
}

Surge SurgeTest::Run(Pinning pinning, bool automatic) {
  TimedCluster::Options options;
  options.experts.clear();
  for (int w = 0; w < kWorkers; ++w) {
    options.experts.push_back({w, (w + 1) % kFamilies, (w + 2) % kFamilies});
  }
  options.dense_cost = {absl::Microseconds(200), absl::Microseconds(10),
                        absl::Nanoseconds(100)};
  options.dense.scheduler.max_running = 1024;
  options.dense.pinning = pinning;
  options.expert.placement.automatic = automatic;
  options.expert_cost.expert_row = absl::Microseconds(150);
  VirtualTime time;
  TimedCluster cluster(options, time);
  const absl::Duration start = time.Now();
  Traffic::Options load;
  load.rates.assign(kFamilies, kRate);
  Traffic traffic(load, cluster, time);
  const absl::Duration surge = start + absl::Seconds(30);
  const absl::Duration end = surge + absl::Seconds(40);
  time.RunUntil(surge);
  Surge result;
  result.holders_before = cluster.Holders(kSurging);
  traffic.SetRate(kSurging, kFactor * kRate);
  for (int second = 0; second < 40; ++second) {
    time.RunUntil(surge + absl::Seconds(second + 1));
    if (second % 5 == 0) {
      std::cout << "  after " << second + 1
                << " s: " << cluster.Holders(kSurging) << " holders, p99 "
                << traffic.Pause(0.99, surge + absl::Seconds(second),
                                 surge + absl::Seconds(second + 1))
                << std::endl;
    }
  }
  result.holders_after = cluster.Holders(kSurging);
  traffic.SetRate(kSurging, kRate);
  time.RunUntil(end + absl::Seconds(10));
  traffic.Stop();
  time.RunUntil(end + absl::Seconds(100));
  ExpectSameTokens(traffic);
  result.before = traffic.Pause(0.99, start + absl::Seconds(10), surge);
  result.during = traffic.Pause(0.99, surge, surge + absl::Seconds(10));
  result.after = traffic.Pause(0.99, surge + absl::Seconds(10), end);
  std::cout << (automatic ? "auto" : "fixed") << ": p99 before "
            << result.before << ", in the first 10 s " << result.during
            << ", then " << result.after << "; holders "
            << result.holders_before << ", then " << result.holders_after
            << "; tokens/s before "
            << traffic.Rate(start + absl::Seconds(10), surge) << ", then "
            << traffic.Rate(surge + absl::Seconds(10), end) << std::endl;
  return result;
}

TEST_F(SurgeTest, ReplicasAppearWithPreferredPinning) {
  const Surge fixed = Run(Pinning::kPrefer, false);
  const Surge placed = Run(Pinning::kPrefer, true);
  EXPECT_GT(placed.holders_after, fixed.holders_after);
  EXPECT_LT(placed.after, fixed.after);
}

}  // namespace
}  // namespace apollo

// One link that is late, in virtual time: sequences whose rows do not use it
// keep their times between tokens.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iostream>
#include <vector>

#include "tests/timed/timed_cluster.h"
#include "tests/timed/traffic.h"

namespace apollo {
namespace {

constexpr absl::Duration kDelay = absl::Milliseconds(50);
const LayerExperts kAll = {0, 1, 2, 3, 4, 5, 6};

using Counts = std::function<bool(const Traffic::Answer&)>;

// Returns the 99th percentile of the times between two tokens of an answer, of
// those that begin between two times.
absl::Duration GapP99(const Traffic& traffic, absl::Duration from,
                      absl::Duration to, const Counts& counts) {
  std::vector<absl::Duration> gaps;
  for (const Traffic::Answer& answer : traffic.answers()) {
    if (!counts(answer)) continue;
    const std::vector<absl::Duration>& times = answer.sink->times;
    for (std::size_t i = 1; i < times.size(); ++i) {
      if (times[i - 1] < from || times[i - 1] >= to) continue;
      gaps.push_back(times[i] - times[i - 1]);
    }
  }
  EXPECT_GT(gaps.size(), 1000u) << "too few to judge";
  if (gaps.empty()) return absl::InfiniteDuration();
  std::sort(gaps.begin(), gaps.end());
  return gaps[gaps.size() * 99 / 100];
}

void ExpectWhole(const Traffic& traffic) {
  for (std::size_t i = 0; i < traffic.answers().size(); ++i) {
    const Traffic::Answer& answer = traffic.answers()[i];
    ASSERT_TRUE(answer.sink->finished) << i;
    EXPECT_TRUE(answer.sink->status.ok()) << i << ": " << answer.sink->status;
  }
}

TEST(SlowLinkTest, BetweenADenseAndAnExpertWorker) {
  VirtualTime time;
  TimedCluster::Options options;
  options.experts = {kAll, kAll, kAll};
  TimedCluster cluster(options, time);
  const absl::Duration start = time.Now();
  Traffic::Options load;
  load.rates.assign(7, 1.5);
  Traffic traffic(load, cluster, time);
  const absl::Duration delayed = start + absl::Seconds(20);
  const absl::Duration end = start + absl::Seconds(40);
  time.RunUntil(delayed);
  cluster.SlowDown(0, 0, kDelay);
  time.RunUntil(end);
  traffic.Stop();
  time.RunUntil(end + absl::Seconds(30));
  ExpectWhole(traffic);
  const auto beside = [](const Traffic::Answer& answer) {
    return answer.sink->first_worker != "e0";
  };
  const absl::Duration plain = GapP99(
      traffic, start, delayed, [](const Traffic::Answer&) { return true; });
  const absl::Duration late = GapP99(traffic, delayed, end, beside);
  std::cout << "p99 between tokens: undisturbed " << plain
            << ", beside the slow link " << late << ", behind it "
            << GapP99(traffic, delayed, end, std::not_fn(beside)) << std::endl;
  EXPECT_LE(late, 1.2 * plain);
}

}  // namespace
}  // namespace apollo

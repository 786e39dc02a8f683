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

bool All(const Traffic::Answer&) { return true; }

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
  EXPECT_GT(gaps.size(), 300u) << "too few to judge";
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

// Runs traffic for 20 s, slows a link down, and runs it for 20 s more. Expects
// of the sequences beside the link what they had before.
void ExpectKept(TimedCluster& cluster, VirtualTime& time,
                const Traffic::Options& load,
                const std::function<void()>& slow_down, const Counts& beside) {
  const absl::Duration start = time.Now();
  const absl::Duration delayed = start + absl::Seconds(20);
  const absl::Duration end = start + absl::Seconds(40);
  Traffic traffic(load, cluster, time);
  time.RunUntil(delayed);
  slow_down();
  time.RunUntil(end);
  traffic.Stop();
  time.RunUntil(end + absl::Seconds(60));
  ExpectWhole(traffic);
  const absl::Duration plain = GapP99(traffic, start, delayed, beside);
  const absl::Duration late = GapP99(traffic, delayed, end, beside);
  std::cout << "p99 between tokens beside the link: undisturbed " << plain
            << ", while it is slow " << late << "; of all sequences "
            << GapP99(traffic, delayed, end, All) << std::endl;
  EXPECT_LE(late, 1.2 * plain);
}

TEST(SlowLinkTest, BetweenADenseAndAnExpertWorker) {
  VirtualTime time;
  TimedCluster::Options options;
  options.experts = {kAll, kAll, kAll};
  TimedCluster cluster(options, time);
  Traffic::Options load;
  load.rates.assign(7, 1.5);
  ExpectKept(
      cluster, time, load, [&] { cluster.SlowDown(0, 0, kDelay); },
      [](const Traffic::Answer& answer) {
        return answer.sink->first_worker != "e0";
      });
}

// Two sequences with the same expert worker: one needs an expert behind the
// slow link, the other does not.
TEST(SlowLinkTest, BetweenTwoExpertWorkers) {
  VirtualTime time;
  TimedCluster::Options options;
  options.experts = {LayerExperts{0, 1, 2, 3, 4, 5}, kAll};
  options.expert.residence.standby_bytes = 0;
  TimedCluster cluster(options, time);
  Traffic::Options load;
  load.hybrid = true;  // Family 5 uses experts 5 and 6, family 1 others.
  load.rates.assign(7, 0);
  load.rates[1] = load.rates[5] = 3;
  ExpectKept(
      cluster, time, load, [&] { cluster.SlowDownPeers(0, 1, kDelay); },
      [](const Traffic::Answer& answer) { return answer.family == 1; });
  EXPECT_GT(cluster.expert(0).counters().batches_split, 0);
}

TEST(SlowLinkTest, RowsGoToAPeerBehindAnotherLink) {
  VirtualTime time;
  TimedCluster::Options options;
  options.experts = {LayerExperts{0, 1, 2, 3, 4, 5}, kAll, kAll};
  options.expert.residence.standby_bytes = 0;
  TimedCluster cluster(options, time);
  Traffic::Options load;
  load.rates.assign(7, 1.5);
  ExpectKept(
      cluster, time, load, [&] { cluster.SlowDownPeers(0, 1, kDelay); }, All);
}

}  // namespace
}  // namespace apollo

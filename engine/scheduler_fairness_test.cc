// What callers and priorities get of a scheduler, in virtual time.
#include <absl/time/time.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

#include "engine/block_pool.h"
#include "engine/cache_size.h"
#include "engine/scheduler.h"

namespace apollo {
namespace {

using Ids = std::vector<SequenceId>;

struct Load {
  std::string caller;
  int prompt = 0;
  int answer = 0;
  int priority = 0;
};

// Steps of 10 ms, whose tokens arrive before the next one.
class Cluster {
 public:
  static constexpr absl::Duration kStep = absl::Milliseconds(10);

  Cluster(const Scheduler::Options& options, int blocks)
      : pool_(blocks), scheduler_(options, pool_) {}

  SequenceId Add(const Load& load) {
    const SequenceId id = ++added_;
    scheduler_.Add(id, load.prompt, load.prompt + load.answer, load.priority,
                   load.caller);
    sequences_[id] = {load, load.answer, now_};
    return id;
  }

  void Step() {
    now_ += kStep;
    scheduler_.SetTime(now_);
    const Scheduler::Step step = scheduler_.NextStep();
    preemptions_ += static_cast<int>(step.preempted.size());
    for (const SequenceId id : step.preempted) running_.erase(id);
    for (const Scheduler::Admission& admission : step.admitted) {
      Sequence& sequence = sequences_.at(admission.sequence);
      running_[admission.sequence] = sequence.load.caller;
      if (sequence.begun) continue;
      sequence.begun = true;
      absl::Duration& longest = waits_[sequence.load.caller];
      longest = std::max(longest, now_ - sequence.added);
    }
    for (const Scheduler::Slice& slice : step.slices) {
      Sequence& sequence = sequences_.at(slice.sequence);
      served_[sequence.load.caller] += slice.rows;
      if (!slice.ends_prompt) continue;
      if (--sequence.left > 0) {
        scheduler_.TokenArrived(slice.sequence);
        continue;
      }
      scheduler_.Remove(slice.sequence);
      sequences_.erase(slice.sequence);
      running_.erase(slice.sequence);
    }
  }

  bool Runs(SequenceId id) const { return running_.contains(id); }
  bool Present(SequenceId id) const { return sequences_.contains(id); }
  // The longest time from arrival to admission.
  absl::Duration wait(const std::string& caller) { return waits_[caller]; }
  int served(const std::string& caller) { return served_[caller]; }
  int preemptions() const { return preemptions_; }
  Scheduler& scheduler() { return scheduler_; }

 private:
  struct Sequence {
    Load load;
    int left = 0;
    absl::Duration added;
    bool begun = false;
  };
  BlockPool pool_;
  Scheduler scheduler_;
  SequenceId added_ = 0;
  absl::Duration now_;
  std::map<SequenceId, Sequence> sequences_;
  std::map<SequenceId, std::string> running_;
  std::map<std::string, absl::Duration> waits_;
  std::map<std::string, int> served_;
  int preemptions_ = 0;
};

Scheduler::Options Small() {
  return {.token_budget = 64, .mixed_token_budget = 16, .max_running = 8};
}

// Sends `count` requests of a light caller, one after the other, beside 1,000
// of a heavy one. Returns how long the worst of them waited.
absl::Duration LightBesideHeavy(Cluster& cluster, const std::string& heavy,
                                int count) {
  for (int i = 0; i < 1000; ++i) cluster.Add({heavy, 100, 400});
  for (int i = 0; i < 30; ++i) cluster.Step();
  for (int i = 0; i < count; ++i) {
    const SequenceId id = cluster.Add({"light", 50, 20});
    for (int steps = 0; cluster.Present(id); ++steps) {
      EXPECT_LT(steps, 1'000'000);
      if (steps == 1'000'000) return absl::InfiniteDuration();
      cluster.Step();
    }
  }
  return cluster.wait("light");
}

TEST(SchedulerFairnessTest, SingleRequestsDoNotWaitForAThousandOfAnother) {
  Cluster cluster(Small(), 1000);
  const absl::Duration patience = Scheduler::Options().patience;
  EXPECT_LE(LightBesideHeavy(cluster, "heavy", 50),
            patience + 2 * Cluster::kStep);
  // What that cost the other.
  EXPECT_LE(cluster.preemptions(), 50);
  EXPECT_GE(cluster.served("heavy"), 3 * cluster.served("light"));
}

TEST(SchedulerFairnessTest, NorWhenTheCacheIsFull) {
  // The heavy caller's sequences have room for a little more than two.
  Cluster cluster(Small(), 70);
  EXPECT_LE(LightBesideHeavy(cluster, "heavy", 50),
            Scheduler::Options().patience + 2 * Cluster::kStep);
}

TEST(SchedulerFairnessTest, OneCallerWaitsForItself) {
  Cluster cluster(Small(), 1000);
  EXPECT_GT(LightBesideHeavy(cluster, "light", 1), absl::Minutes(5));
  EXPECT_EQ(cluster.preemptions(), 0);
}

TEST(SchedulerFairnessTest, BusyCallersAreServedTheSameNumberOfTokens) {
  Cluster cluster(Small(), 1000);
  for (int i = 0; i < 400; ++i) {
    cluster.Add({"long answers", 10, 90});
    cluster.Add({"short answers", 10, 5});
    cluster.Add({"short answers", 10, 5});
    cluster.Add({"prompts", 90, 1});
  }
  // In tokens of prompts, of which a token of an answer counts as two.
  const int before = 2;
  int steps = 0;
  while (cluster.scheduler().waiting_by_sign()[1] > 800 && ++steps < 2000) {
    cluster.Step();
  }
  ASSERT_LT(steps, 2000);
  const double a = cluster.served("long answers") * (10 + 89 * before) / 99.0;
  const double b = cluster.served("short answers") * (10 + 4 * before) / 14.0;
  const double c = cluster.served("prompts");
  // The longest prompt, and what eight sequences cost.
  const double bound = 90 + 8 * (10 + 89 * before);
  EXPECT_GT(a, 4 * bound);
  EXPECT_NEAR(a, b, bound);
  EXPECT_NEAR(a, c, bound);
  EXPECT_EQ(cluster.preemptions(), 0);
}

// Returns the time after which a sequence of priority -2 has ended, beside a
// stream of sequences of priority 0 that would fill the scheduler.
absl::Duration LowBesideHigh(absl::Duration ageing) {
  Scheduler::Options options = Small();
  options.ageing = ageing;
  Cluster cluster(options, 1000);
  for (int i = 0; i < 16; ++i) cluster.Add({"", 20, 50});
  const SequenceId low = cluster.Add({"", 20, 50, -2});
  absl::Duration time;
  for (int i = 0; cluster.Present(low); ++i) {
    if (time >= absl::Minutes(10)) return absl::InfiniteDuration();
    if (cluster.scheduler().waiting() < 8) cluster.Add({"", 20, 50});
    cluster.Step();
    time += Cluster::kStep;
  }
  // No sequence that came later has taken its place.
  EXPECT_EQ(cluster.preemptions(), 0);
  return time;
}

TEST(SchedulerFairnessTest, ALowPriorityIsPutOffForABoundedTime) {
  EXPECT_EQ(LowBesideHigh(absl::InfiniteDuration()), absl::InfiniteDuration());
  const absl::Duration time = LowBesideHigh(absl::Seconds(10));
  EXPECT_GE(time, absl::Seconds(20));
  EXPECT_LE(time, absl::Seconds(22));
}

TEST(SchedulerFairnessTest, AgeDoesNotPreempt) {
  Scheduler::Options options = {.token_budget = 64, .max_running = 1};
  options.ageing = absl::Seconds(1);
  BlockPool pool(100);
  Scheduler scheduler(options, pool);
  scheduler.Add(1, 8, 100, 1);
  EXPECT_EQ(scheduler.NextStep().slices.size(), 1u);
  scheduler.Add(2, 8, 100, 0);
  scheduler.SetTime(absl::Seconds(60));
  EXPECT_TRUE(scheduler.NextStep().slices.empty());
  scheduler.Remove(1);
  EXPECT_EQ(scheduler.NextStep().admitted.size(), 1u);
  // It has reached level 1, and keeps it against those that come later.
  scheduler.Add(3, 8, 100, 1);
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  scheduler.Add(4, 8, 100, 2);
  EXPECT_EQ(scheduler.NextStep().preempted, Ids{2});
}

TEST(SchedulerFairnessTest, SequencesOfOnePriorityAgeTogether) {
  Scheduler::Options options = {.token_budget = 16, .max_running = 8};
  options.ageing = absl::Seconds(1);
  BlockPool pool(1000);
  Scheduler scheduler(options, pool);
  scheduler.Add(1, 8000, 8100);
  scheduler.NextStep();
  scheduler.SetTime(absl::Minutes(10));
  // The short prompt still gets half of the rows.
  scheduler.Add(2, 20, 100);
  const Scheduler::Step step = scheduler.NextStep();
  ASSERT_EQ(step.slices.size(), 2u);
  EXPECT_EQ(step.slices[1].sequence, 2u);
  EXPECT_EQ(step.slices[1].rows, 8);
}

TEST(SchedulerFairnessTest, OnlyCallersThatRunSeveralGiveWay) {
  Scheduler::Options options = {.token_budget = 64, .max_running = 4};
  BlockPool pool(100);
  Scheduler scheduler(options, pool);
  scheduler.Add(1, 8, 100, 0, "a");
  scheduler.Add(2, 8, 100, 0, "b");
  scheduler.Add(3, 8, 100, 0, "b");
  scheduler.Add(4, 8, 100, 0, "b");
  scheduler.NextStep();
  ASSERT_EQ(scheduler.running(), 4);
  scheduler.Add(5, 8, 100, 0, "c");
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  EXPECT_FALSE(scheduler.HasWork());
  scheduler.SetTime(options.patience - absl::Nanoseconds(1));
  EXPECT_FALSE(scheduler.HasWork());
  scheduler.SetTime(options.patience);
  EXPECT_TRUE(scheduler.HasWork());
  EXPECT_EQ(scheduler.NextStep().preempted, Ids{4});
  scheduler.Add(6, 8, 100, 0, "d");
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  scheduler.SetTime(2 * options.patience);
  EXPECT_EQ(scheduler.NextStep().preempted, Ids{3});
  // Now each runs one, so nobody gives way any more.
  scheduler.Add(7, 8, 100, 0, "e");
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  scheduler.SetTime(absl::Hours(1));
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  EXPECT_FALSE(scheduler.HasWork());
  EXPECT_EQ(scheduler.callers(), 5);
}

TEST(SchedulerFairnessTest, NoCallerGivesUpMoreThanItKeeps) {
  Scheduler::Options options = {.token_budget = 640, .max_running = 8};
  BlockPool pool(10);
  Scheduler scheduler(options, pool);
  scheduler.Add(1, 64, 64, 0, "a");
  scheduler.Add(2, 48, 48, 0, "a");
  scheduler.Add(3, 48, 48, 0, "a");
  scheduler.NextStep();
  ASSERT_EQ(pool.available(), 0);
  scheduler.Add(4, 80, 80, 0, "b");  // Five blocks: half of the cache.
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  scheduler.SetTime(absl::Hours(1));
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  scheduler.Remove(4);
  scheduler.Add(5, 64, 64, 0, "b");
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  scheduler.SetTime(absl::Hours(2));
  EXPECT_EQ(scheduler.NextStep().preempted, (Ids{3, 2}));
}

TEST(SchedulerFairnessTest, CallersThatHaveGrownGiveWayLater) {
  Scheduler::Options options = {.token_budget = 64, .max_running = 2};
  BlockPool pool(100);
  Scheduler scheduler(options, pool);
  scheduler.Add(1, 8, 100, 0, "a");
  scheduler.Add(2, 8, 100, 0, "a");
  scheduler.NextStep();
  scheduler.Add(3, 40, 100, 0, "b");  // Three blocks; those have one each.
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  scheduler.SetTime(options.patience);
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  Ids preempted;
  const auto step = [&] {
    const Ids now = scheduler.NextStep().preempted;
    preempted.insert(preempted.end(), now.begin(), now.end());
  };
  for (int token = 0; token < 40; ++token) {
    scheduler.TokenArrived(1);
    if (preempted.empty()) scheduler.TokenArrived(2);
    step();
  }
  scheduler.SetTime(2 * options.patience);
  step();
  EXPECT_EQ(preempted, Ids{2});
}

TEST(SchedulerFairnessTest, GrowthTakesBlocksOfTheCallerThatHasMost) {
  BlockPool pool(4);
  Scheduler scheduler({.token_budget = 64, .max_running = 8}, pool);
  scheduler.Add(1, 15, 40, 0, "a");
  scheduler.Add(2, 16, 40, 0, "a");
  scheduler.Add(3, 8, 40, 0, "a");
  scheduler.Add(4, 16, 40, 0, "b");
  scheduler.NextStep();
  ASSERT_EQ(pool.available(), 0);
  scheduler.TokenArrived(4);
  // The youngest of all grows, and keeps its blocks.
  const Scheduler::Step step = scheduler.NextStep();
  EXPECT_EQ(step.preempted, Ids{3});
  ASSERT_EQ(step.slices.size(), 1u);
  EXPECT_EQ(step.slices[0].sequence, 4u);
}

TEST(SchedulerFairnessTest, WaitingSequencesAreCountedBySignOfPriority) {
  BlockPool pool(10);
  Scheduler scheduler({.token_budget = 64, .max_running = 1}, pool);
  scheduler.Add(1, 8, 20, 5, "a");
  scheduler.Add(2, 8, 20, 0, "a");
  scheduler.Add(3, 8, 20, -5, "b");
  using Counts = std::array<int, 3>;
  EXPECT_EQ(scheduler.waiting_by_sign(), (Counts{1, 1, 1}));
  EXPECT_EQ(scheduler.callers(), 2);
  scheduler.NextStep();
  EXPECT_EQ(scheduler.waiting_by_sign(), (Counts{1, 1, 0}));
  scheduler.Preempt(1, /*hold=*/true);
  EXPECT_EQ(scheduler.waiting_by_sign(), (Counts{1, 1, 1}));
  scheduler.Remove(3);
  EXPECT_EQ(scheduler.waiting_by_sign(), (Counts{0, 1, 1}));
  EXPECT_EQ(scheduler.callers(), 1);
  scheduler.Remove(1);
  scheduler.Remove(2);
  EXPECT_EQ(scheduler.waiting_by_sign(), (Counts{0, 0, 0}));
  EXPECT_EQ(scheduler.callers(), 0);
}

}  // namespace
}  // namespace apollo

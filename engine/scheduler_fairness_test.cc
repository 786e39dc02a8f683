// What callers and priorities get of a scheduler, in virtual time.
#include <absl/time/time.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>
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

  using Key = std::pair<std::string, int>;
  Key key() const { return {caller, priority}; }
};

// What the tests vary.
struct Setup {
  int blocks = 1000;
  int token_budget = 64;
  int max_running = 8;
  absl::Duration ageing = absl::InfiniteDuration();
};

constexpr absl::Duration kPatience = Scheduler::Options().patience;

// A scheduler, by hand or in steps of 10 ms, whose tokens arrive before the
// next one.
class Cluster {
 public:
  static constexpr absl::Duration kStep = absl::Milliseconds(10);

  explicit Cluster(const Setup& setup = {})
      : pool_(setup.blocks),
        scheduler_({.token_budget = setup.token_budget,
                    .mixed_token_budget = 16,
                    .max_running = setup.max_running,
                    .ageing = setup.ageing},
                   pool_) {}

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
      absl::Duration& longest = waits_[sequence.load.key()];
      longest = std::max(longest, now_ - sequence.added);
    }
    for (const Scheduler::Slice& slice : step.slices) {
      Sequence& sequence = sequences_.at(slice.sequence);
      served_[sequence.load.key()] += slice.rows;
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
  absl::Duration now() const { return now_; }
  // The longest time from arrival to admission.
  absl::Duration wait(const std::string& caller, int priority = 0) {
    return waits_[{caller, priority}];
  }
  int served(const std::string& caller, int priority = 0) {
    return served_[{caller, priority}];
  }
  int preemptions() const { return preemptions_; }
  BlockPool& pool() { return pool_; }
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
  std::map<Load::Key, absl::Duration> waits_;
  std::map<Load::Key, int> served_;
  int preemptions_ = 0;
};

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
  Cluster cluster;
  EXPECT_LE(LightBesideHeavy(cluster, "heavy", 50),
            kPatience + 2 * Cluster::kStep);
  // What that cost the other.
  EXPECT_LE(cluster.preemptions(), 50);
  EXPECT_GE(cluster.served("heavy"), 3 * cluster.served("light"));
}

TEST(SchedulerFairnessTest, NorWhenTheCacheIsFull) {
  // The heavy caller's sequences have room for a little more than two.
  Cluster cluster({.blocks = 70});
  EXPECT_LE(LightBesideHeavy(cluster, "heavy", 50),
            kPatience + 2 * Cluster::kStep);
}

TEST(SchedulerFairnessTest, OneCallerWaitsForItself) {
  Cluster cluster;
  EXPECT_GT(LightBesideHeavy(cluster, "light", 1), absl::Minutes(5));
  EXPECT_EQ(cluster.preemptions(), 0);
}

TEST(SchedulerFairnessTest, BusyCallersAreServedTheSameNumberOfTokens) {
  Cluster cluster;
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
  Cluster cluster({.ageing = ageing});
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
  Cluster cluster(
      {.blocks = 100, .max_running = 1, .ageing = absl::Seconds(1)});
  Scheduler& scheduler = cluster.scheduler();
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

TEST(SchedulerFairnessTest, BackgroundWorkCostsNoTurnsOfUrgentWork) {
  Cluster cluster;
  for (int i = 0; i < 8; ++i) cluster.Add({"both", 20, 2000, -1});
  for (int i = 0; i < 1000; ++i) cluster.Step();
  for (int i = 0; i < 100; ++i) {
    cluster.Add({"urgent", 50, 20});
    cluster.Add({"both", 50, 20});
  }
  for (int i = 0; i < 100; ++i) cluster.Step();
  // The longest prompt, and what eight sequences cost.
  EXPECT_GT(cluster.served("urgent"), 1000);
  EXPECT_NEAR(cluster.served("urgent"), cluster.served("both"),
              50 + 8 * (50 + 19));
}

// Nor is it a reason to wait for a place: its background work does not count.
TEST(SchedulerFairnessTest, OneThatRunsOnlyLowerPrioritiesGetsAPlace) {
  // Its background work has too few blocks for the urgent one.
  Cluster cluster({.blocks = 16, .max_running = 16});
  Scheduler& scheduler = cluster.scheduler();
  for (SequenceId id = 1; id <= 5; ++id) scheduler.Add(id, 48, 48, 0, "many");
  scheduler.Add(6, 16, 16, -1, "one");
  for (int i = 0; i < 8; ++i) scheduler.NextStep();
  ASSERT_EQ(scheduler.running(), 6);
  scheduler.Add(7, 48, 48, 0, "one");
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  scheduler.SetTime(kPatience);
  EXPECT_EQ(scheduler.NextStep().preempted, (Ids{6, 5}));
  EXPECT_EQ(scheduler.running(), 5);
}

// A long prompt of priority 0 reaches level 1 while a sequence of priority 1
// runs beside which it has no room; others of priority 1 come all the time.
TEST(SchedulerFairnessTest, UrgentSequencesDoNotWaitBehindAnAgedLongPrompt) {
  Cluster cluster({.blocks = 100, .ageing = absl::Seconds(10)});
  const SequenceId slow = cluster.Add({"slow", 20, 1500, 1});
  for (int i = 0; i < 200; ++i) cluster.Step();
  const SequenceId aged = cluster.Add({"aged", 1500, 1, 0});
  absl::Duration slow_ended, worst;
  for (int i = 0; !cluster.Runs(aged); ++i) {
    ASSERT_LT(i, 3000);
    if (i % 20 == 0) cluster.Add({"urgent", 20, 10, 1});
    cluster.Step();
    worst = cluster.wait("urgent", 1);
    if (slow_ended == absl::ZeroDuration() && !cluster.Present(slow)) {
      slow_ended = cluster.now();
    }
  }
  EXPECT_GE(slow_ended, absl::Seconds(14));
  EXPECT_LE(worst, 2 * Cluster::kStep);
  // It begins as soon as if nobody had overtaken it.
  EXPECT_LE(cluster.now(), slow_ended + 2 * Cluster::kStep);
  EXPECT_LE(cluster.preemptions(), 1);
}

TEST(SchedulerFairnessTest, OvertakersGiveWayAndDoNotOvertakeAgain) {
  Cluster cluster(
      {.blocks = 10, .token_budget = 640, .ageing = absl::Seconds(1)});
  Scheduler& scheduler = cluster.scheduler();
  const auto admitted = [](const Scheduler::Step& step) {
    Ids ids;
    for (const auto& admission : step.admitted)
      ids.push_back(admission.sequence);
    return ids;
  };
  scheduler.Add(1, 64, 80, 1, "a");
  EXPECT_EQ(admitted(scheduler.NextStep()), Ids{1});
  scheduler.Add(2, 144, 160, 0, "b");
  scheduler.Add(3, 144, 160, 0, "c");
  scheduler.SetTime(absl::Seconds(1));
  EXPECT_TRUE(admitted(scheduler.NextStep()).empty());
  EXPECT_FALSE(scheduler.HasWork());
  scheduler.Add(4, 32, 60, 1, "d");
  scheduler.Add(5, 32, 60, 0, "e");  // No higher priority than 2.
  EXPECT_TRUE(scheduler.HasWork());
  EXPECT_EQ(admitted(scheduler.NextStep()), Ids{4});
  EXPECT_FALSE(scheduler.HasWork());
  scheduler.Remove(1);
  Scheduler::Step step = scheduler.NextStep();
  EXPECT_EQ(step.preempted, Ids{4});
  EXPECT_EQ(admitted(step), Ids{2});
  // 3 waits in the place of 2.
  scheduler.Add(6, 64, 80, 2, "f");
  scheduler.Remove(2);
  EXPECT_EQ(admitted(scheduler.NextStep()), Ids{6});
  scheduler.Add(7, 32, 60, 1, "g");
  EXPECT_EQ(admitted(scheduler.NextStep()), Ids{7});
  scheduler.Remove(6);
  step = scheduler.NextStep();
  EXPECT_EQ(step.preempted, Ids{7});
  EXPECT_EQ(admitted(step), Ids{3});
  scheduler.Remove(3);
  EXPECT_EQ(admitted(scheduler.NextStep()).size(), 3u);
}

TEST(SchedulerFairnessTest, AnOvertakerThatPreemptsOwesNothing) {
  Cluster cluster({.max_running = 1, .ageing = absl::Seconds(1)});
  Scheduler& scheduler = cluster.scheduler();
  scheduler.Add(1, 8, 100, -1);
  scheduler.SetTime(absl::Milliseconds(900));
  scheduler.Add(2, 8, 100, 0);
  scheduler.NextStep();
  // 1 reaches the level of 3 before 2 does, and must not preempt 2.
  scheduler.SetTime(absl::Milliseconds(1950));
  scheduler.Add(3, 8, 100, 1);
  scheduler.SetTime(absl::Seconds(2));
  EXPECT_EQ(scheduler.NextStep().preempted, Ids{2});
  scheduler.TokenArrived(3);
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  scheduler.Remove(3);
  const Scheduler::Step step = scheduler.NextStep();
  ASSERT_EQ(step.admitted.size(), 1u);
  EXPECT_EQ(step.admitted[0].sequence, 1u);
}

// It takes more than it preempts: what is left is lent.
TEST(SchedulerFairnessTest, AnOvertakerThatPreemptsABorrowerBorrows) {
  Cluster cluster(
      {.blocks = 10, .token_budget = 640, .ageing = absl::Seconds(1)});
  Scheduler& scheduler = cluster.scheduler();
  scheduler.Add(1, 64, 80, 3, "a");
  scheduler.NextStep();
  scheduler.Add(2, 144, 160, 0, "b");
  scheduler.SetTime(absl::Seconds(3));
  EXPECT_TRUE(scheduler.NextStep().admitted.empty());
  scheduler.Add(3, 32, 60, 1, "c");
  EXPECT_EQ(scheduler.NextStep().admitted.size(), 1u);
  scheduler.Add(4, 80, 90, 3, "d");
  EXPECT_EQ(scheduler.NextStep().preempted, Ids{3});
  scheduler.Remove(1);
  const Scheduler::Step step = scheduler.NextStep();
  EXPECT_EQ(step.preempted, Ids{4});
  ASSERT_EQ(step.admitted.size(), 1u);
  EXPECT_EQ(step.admitted[0].sequence, 2u);
}

TEST(SchedulerFairnessTest, SequencesOfOnePriorityAgeTogether) {
  Cluster cluster({.token_budget = 16, .ageing = absl::Seconds(1)});
  Scheduler& scheduler = cluster.scheduler();
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
  Cluster cluster({.blocks = 100, .max_running = 4});
  Scheduler& scheduler = cluster.scheduler();
  scheduler.Add(1, 8, 100, 0, "a");
  scheduler.Add(2, 8, 100, 0, "b");
  scheduler.Add(3, 8, 100, 0, "b");
  scheduler.Add(4, 8, 100, 0, "b");
  scheduler.NextStep();
  ASSERT_EQ(scheduler.running(), 4);
  scheduler.Add(5, 8, 100, 0, "c");
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  EXPECT_FALSE(scheduler.HasWork());
  scheduler.SetTime(kPatience - absl::Nanoseconds(1));
  EXPECT_FALSE(scheduler.HasWork());
  scheduler.SetTime(kPatience);
  EXPECT_TRUE(scheduler.HasWork());
  EXPECT_EQ(scheduler.NextStep().preempted, Ids{4});
  scheduler.Add(6, 8, 100, 0, "d");
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  scheduler.SetTime(2 * kPatience);
  EXPECT_EQ(scheduler.NextStep().preempted, Ids{3});
  // Now each runs one, so nobody gives way any more.
  scheduler.Add(7, 8, 100, 0, "e");
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  scheduler.SetTime(absl::Hours(1));
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  EXPECT_FALSE(scheduler.HasWork());
  EXPECT_EQ(scheduler.callers(), 5);
}

// It is not the best while another has its turn before it.
TEST(SchedulerFairnessTest, PatienceBeginsAnewAfterAnotherWasTheBest) {
  Cluster cluster({.blocks = 100, .max_running = 4});
  Scheduler& scheduler = cluster.scheduler();
  scheduler.Add(1, 64, 100, 0, "served");
  scheduler.NextStep();
  for (SequenceId id = 2; id <= 5; ++id) scheduler.Add(id, 8, 100, 0, "many");
  scheduler.NextStep();
  scheduler.Remove(1);
  scheduler.NextStep();
  ASSERT_EQ(scheduler.running(), 4);
  scheduler.Add(6, 8, 100, 0, "served");
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  scheduler.SetTime(kPatience / 2);
  scheduler.Add(7, 8, 100, 0, "new");
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  scheduler.SetTime(kPatience);
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  scheduler.Remove(7);
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  scheduler.SetTime(2 * kPatience - absl::Nanoseconds(1));
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  scheduler.SetTime(2 * kPatience);
  const Scheduler::Step step = scheduler.NextStep();
  EXPECT_EQ(step.preempted, Ids{5});
  ASSERT_EQ(step.admitted.size(), 1u);
  EXPECT_EQ(step.admitted[0].sequence, 6u);
}

TEST(SchedulerFairnessTest, PatienceBeginsAnewAfterAPause) {
  Cluster cluster({.blocks = 100, .max_running = 2});
  Scheduler& scheduler = cluster.scheduler();
  scheduler.Add(1, 8, 100, 0, "many");
  scheduler.Add(2, 8, 100, 0, "many");
  scheduler.NextStep();
  scheduler.Add(3, 8, 100, 0, "one");
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  scheduler.SetPaused(3, true);
  scheduler.SetTime(kPatience);
  scheduler.SetPaused(3, false);
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  scheduler.SetTime(2 * kPatience);
  EXPECT_EQ(scheduler.NextStep().preempted, Ids{2});
}

TEST(SchedulerFairnessTest, NoCallerGivesUpMoreThanItKeeps) {
  Cluster cluster({.blocks = 10, .token_budget = 640});
  Scheduler& scheduler = cluster.scheduler();
  scheduler.Add(1, 64, 64, 0, "a");
  scheduler.Add(2, 48, 48, 0, "a");
  scheduler.Add(3, 48, 48, 0, "a");
  scheduler.NextStep();
  ASSERT_EQ(cluster.pool().available(), 0);
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
  Cluster cluster({.blocks = 100, .max_running = 2});
  Scheduler& scheduler = cluster.scheduler();
  scheduler.Add(1, 8, 100, 0, "a");
  scheduler.Add(2, 8, 100, 0, "a");
  scheduler.NextStep();
  scheduler.Add(3, 40, 100, 0, "b");  // Three blocks; those have one each.
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
  scheduler.SetTime(kPatience);
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
  scheduler.SetTime(2 * kPatience);
  step();
  EXPECT_EQ(preempted, Ids{2});
}

TEST(SchedulerFairnessTest, GrowthTakesBlocksOfTheCallerThatHasMost) {
  Cluster cluster({.blocks = 4});
  Scheduler& scheduler = cluster.scheduler();
  scheduler.Add(1, 15, 40, 0, "a");
  scheduler.Add(2, 16, 40, 0, "a");
  scheduler.Add(3, 8, 40, 0, "a");
  scheduler.Add(4, 16, 40, 0, "b");
  scheduler.NextStep();
  ASSERT_EQ(cluster.pool().available(), 0);
  scheduler.TokenArrived(4);
  // The youngest of all grows, and keeps its blocks.
  const Scheduler::Step step = scheduler.NextStep();
  EXPECT_EQ(step.preempted, Ids{3});
  ASSERT_EQ(step.slices.size(), 1u);
  EXPECT_EQ(step.slices[0].sequence, 4u);
}

TEST(SchedulerFairnessTest, WaitingSequencesAreCountedBySignOfPriority) {
  Cluster cluster({.blocks = 10, .max_running = 1});
  Scheduler& scheduler = cluster.scheduler();
  scheduler.Add(1, 8, 20, 5, "a");
  scheduler.Add(2, 8, 20, 0, "a");
  scheduler.Add(3, 8, 20, -5, "b");
  using Counts = std::array<int, 3>;
  EXPECT_EQ(scheduler.waiting_by_sign(), (Counts{1, 1, 1}));
  for (const auto& [priority, waiting] : std::vector<std::pair<int, int>>{
           {6, 0}, {5, 1}, {1, 1}, {0, 2}, {-5, 3}}) {
    EXPECT_EQ(scheduler.WaitingFrom(priority), waiting) << priority;
  }
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
  EXPECT_EQ(scheduler.WaitingFrom(-100), 0);
  EXPECT_EQ(scheduler.callers(), 0);
}

}  // namespace
}  // namespace apollo

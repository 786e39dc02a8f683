#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "engine/cache_size.h"
#include "engine/prefix_cache.h"

namespace apollo {
namespace {

using Step = Scheduler::Step;
using Numbers = std::vector<std::vector<int>>;
using Ids = std::vector<SequenceId>;

Numbers Rows(const Step& step) {
  Numbers numbers;
  for (const Scheduler::Slice& s : step.slices) {
    numbers.push_back({static_cast<int>(s.sequence), s.first_position, s.rows,
                       s.ends_prompt});
  }
  return numbers;
}

TEST(SchedulerTest, PromptThenOneRowForEachToken) {
  BlockPool pool(10);
  Scheduler scheduler({.token_budget = 100, .max_running = 4}, pool);
  EXPECT_FALSE(scheduler.HasWork());
  scheduler.Add(1, 31, 50);
  EXPECT_TRUE(scheduler.HasWork());
  EXPECT_EQ(scheduler.waiting(), 1);
  const Step step = scheduler.NextStep();
  EXPECT_EQ(Rows(step), (Numbers{{1, 0, 31, 1}}));
  ASSERT_EQ(step.admitted.size(), 1u);
  EXPECT_EQ(step.admitted[0].sequence, 1u);
  EXPECT_EQ(step.admitted[0].cached_tokens, 0);
  EXPECT_EQ(pool.available(), 8);     // No more than is known.
  EXPECT_FALSE(scheduler.HasWork());  // Pending.
  scheduler.TokenArrived(1);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 31, 1, 1}}));
  EXPECT_EQ(pool.available(), 8);
  scheduler.TokenArrived(1);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 32, 1, 1}}));
  EXPECT_EQ(pool.available(), 7);
  scheduler.Remove(1);
  EXPECT_EQ(pool.available(), 10);
  EXPECT_FALSE(scheduler.HasWork());
}

TEST(SchedulerTest, PromptsGetFewerRowsWhileOthersWaitForTokens) {
  BlockPool pool(100);
  Scheduler scheduler(
      {.token_budget = 20, .mixed_token_budget = 5, .max_running = 8}, pool);
  for (const SequenceId id : {1, 2, 3, 4}) scheduler.Add(id, 5, 40);
  EXPECT_EQ(scheduler.NextStep().slices.size(), 4u);
  scheduler.Add(5, 30, 40);
  // Pending: a step without their rows delays them, too.
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{5, 0, 5, 0}}));
  scheduler.TokenArrived(1);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 5, 1, 1}, {5, 5, 5, 0}}));
  // Two that begin beside four: sooner is better for all.
  scheduler.Add(6, 8, 40);
  EXPECT_EQ(Rows(scheduler.NextStep()),
            (Numbers{{5, 10, 12, 0}, {6, 0, 8, 1}}));
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{5, 22, 5, 0}}));
  for (const SequenceId id : {1, 2, 3, 4, 6}) scheduler.Remove(id);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{5, 27, 3, 1}}));
}

TEST(SchedulerTest, AShortPromptDoesNotWaitForALongOne) {
  BlockPool pool(1000);
  Scheduler scheduler({.mixed_token_budget = 16}, pool);
  for (SequenceId id = 1; id <= 8; ++id) scheduler.Add(id, 5, 10000);
  scheduler.NextStep();
  scheduler.Add(9, 8000, 8100);
  const auto next = [&scheduler] {
    for (SequenceId id = 1; id <= 8; ++id) scheduler.TokenArrived(id);
    return scheduler.NextStep();
  };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(next().slices.back().rows, 16);
  scheduler.Add(10, 20, 100);
  int steps = 0;
  for (bool through = false; !through; ++steps) {
    ASSERT_LT(steps, 3);
    const Step step = next();
    ASSERT_EQ(step.slices.size(), 10u);  // The answers go on.
    EXPECT_EQ(step.slices[8].sequence, 9u);
    EXPECT_GE(step.slices[8].rows, 8);  // Half is the first one's.
    EXPECT_EQ(step.slices[9].sequence, 10u);
    EXPECT_EQ(step.slices[8].rows + step.slices[9].rows, 16);
    through = step.slices[9].ends_prompt;
  }
  EXPECT_EQ(steps, 3);
}

TEST(SchedulerTest, AShortPromptDoesNotOvertakeALongOneThatWaitsForBlocks) {
  BlockPool pool(100);
  Scheduler scheduler({.token_budget = 8, .max_running = 8}, pool);
  scheduler.Add(1, 800, 800);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 0, 8, 0}}));
  scheduler.Add(2, 800, 800);
  scheduler.Add(3, 8, 16);
  // 2 does not fit beside 1 and the room for growth.
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 8, 8, 0}}));
  EXPECT_EQ(scheduler.running(), 1);
  scheduler.Remove(2);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 16, 4, 0}, {3, 0, 4, 0}}));
}

TEST(SchedulerTest, ALongPromptIsLetInForAShortOneBehindIt) {
  BlockPool pool(200);
  Scheduler scheduler({.token_budget = 8, .max_running = 8}, pool);
  scheduler.Add(1, 800, 800);
  scheduler.NextStep();
  scheduler.Add(2, 800, 800);
  // It waits without blocks while it would get no rows: by then more of its
  // beginning may be in the cache.
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 8, 8, 0}}));
  EXPECT_EQ(scheduler.running(), 1);
  scheduler.Add(3, 8, 16);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 16, 4, 0}, {3, 0, 4, 0}}));
  EXPECT_EQ(scheduler.running(), 3);
}

TEST(SchedulerTest, AShortPromptOfALowerPriorityWaits) {
  BlockPool pool(100);
  Scheduler scheduler({.token_budget = 8, .max_running = 8}, pool);
  scheduler.Add(1, 20, 40);
  scheduler.Add(2, 2, 4, -1);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 0, 8, 0}}));
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 8, 8, 0}}));
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 16, 4, 1}, {2, 0, 2, 1}}));
}

TEST(SchedulerTest, TheOddRowIsGivenInTurns) {
  BlockPool pool(100);
  Scheduler scheduler({.token_budget = 1, .max_running = 8}, pool);
  scheduler.Add(1, 100, 100);
  scheduler.Add(2, 2, 4);
  std::vector<SequenceId> order;
  for (int i = 0; i < 4; ++i) {
    order.push_back(scheduler.NextStep().slices.at(0).sequence);
  }
  EXPECT_EQ(order, (Ids{1, 2, 1, 2}));
}

TEST(SchedulerTest, APausedSequenceIsLeftOutInEveryStateAndHoldsNobodyUp) {
  BlockPool pool(10);
  Scheduler scheduler({.token_budget = 8, .max_running = 4}, pool);
  for (const SequenceId id : {1, 2, 3}) scheduler.Add(id, 12, 20);
  scheduler.SetPaused(1, true);  // Waiting.
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{2, 0, 8, 0}}));
  scheduler.SetPaused(2, true);  // Prefilling.
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{3, 0, 8, 0}}));
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{3, 8, 4, 1}}));
  EXPECT_FALSE(scheduler.HasWork());
  scheduler.TokenArrived(3);
  scheduler.SetPaused(3, true);  // Ready.
  EXPECT_FALSE(scheduler.HasWork());
  scheduler.SetPaused(2, false);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{2, 8, 4, 1}}));
  scheduler.SetPaused(2, true);  // Pending: its token may come.
  scheduler.TokenArrived(2);
  EXPECT_FALSE(scheduler.HasWork());
  for (const SequenceId id : {1, 2, 3}) scheduler.SetPaused(id, false);
  EXPECT_EQ(Rows(scheduler.NextStep()),
            (Numbers{{3, 12, 1, 1}, {2, 12, 1, 1}, {1, 0, 6, 0}}));
}

TEST(SchedulerTest, APausedSequenceCanLoseItsBlocksAndWaitsPaused) {
  BlockPool pool(2);
  Scheduler scheduler({.token_budget = 100, .max_running = 4}, pool);
  scheduler.Add(1, 16, 32);
  scheduler.Add(2, 16, 32);
  scheduler.NextStep();
  scheduler.SetPaused(2, true);
  scheduler.TokenArrived(1);
  const Step step = scheduler.NextStep();
  EXPECT_EQ(step.preempted, Ids{2});
  EXPECT_EQ(Rows(step), (Numbers{{1, 16, 1, 1}}));
  scheduler.Remove(1);
  EXPECT_FALSE(scheduler.HasWork());
  scheduler.SetPaused(2, false);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{2, 0, 16, 1}}));
  scheduler.SetPaused(2, true);
  scheduler.Remove(2);
  EXPECT_EQ(pool.available(), 2);
}

TEST(SchedulerTest, RunningSequencesGoBeforeTheChunksOfALongPrompt) {
  BlockPool pool(100);
  Scheduler scheduler({.token_budget = 8, .max_running = 4}, pool);
  scheduler.Add(1, 3, 20);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 0, 3, 1}}));
  scheduler.Add(2, 20, 30);
  scheduler.TokenArrived(1);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 3, 1, 1}, {2, 0, 7, 0}}));
  // The next chunk does not wait for the first one's result.
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{2, 7, 8, 0}}));
  scheduler.TokenArrived(1);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 4, 1, 1}, {2, 15, 5, 1}}));
}

TEST(SchedulerTest, SeveralPromptsShareAStep) {
  BlockPool pool(100);
  Scheduler scheduler({.token_budget = 10, .max_running = 4}, pool);
  for (const int id : {1, 2, 3}) scheduler.Add(id, 4, 20);
  EXPECT_EQ(Rows(scheduler.NextStep()),
            (Numbers{{1, 0, 4, 1}, {2, 0, 4, 1}, {3, 0, 2, 0}}));
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{3, 2, 2, 1}}));
}

TEST(SchedulerTest, WaitsForBlocksInOrderAndStartsWhenTheyAreFree) {
  BlockPool pool(4);
  Scheduler scheduler({.token_budget = 100, .max_running = 4}, pool);
  scheduler.Add(1, 48, 48);
  scheduler.Add(2, 32, 32);  // Two blocks: only one is left.
  scheduler.Add(3, 1, 16);   // Would fit, but must not overtake.
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 0, 48, 1}}));
  EXPECT_EQ(scheduler.running(), 1);
  EXPECT_EQ(scheduler.waiting(), 2);
  EXPECT_FALSE(scheduler.HasWork());
  scheduler.Remove(1);
  EXPECT_TRUE(scheduler.HasWork());
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{2, 0, 32, 1}, {3, 0, 1, 1}}));
}

TEST(SchedulerTest, KeepsToTheMostRunning) {
  BlockPool pool(100);
  Scheduler scheduler({.token_budget = 100, .max_running = 2}, pool);
  for (const int id : {1, 2, 3}) scheduler.Add(id, 1, 2);
  scheduler.NextStep();
  EXPECT_EQ(scheduler.running(), 2);
  scheduler.Remove(2);
  scheduler.NextStep();
  EXPECT_EQ(scheduler.running(), 2);
  EXPECT_EQ(scheduler.waiting(), 0);
}

TEST(SchedulerTest, RemovingAWaitingSequenceLetsTheNextOneIn) {
  BlockPool pool(4);
  Scheduler scheduler({.token_budget = 100, .max_running = 4}, pool);
  scheduler.Add(1, 32, 32);
  scheduler.Add(2, 64, 64);
  scheduler.Add(3, 32, 32);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 0, 32, 1}}));
  EXPECT_FALSE(scheduler.HasWork());
  scheduler.Remove(2);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{3, 0, 32, 1}}));
  scheduler.Remove(99);  // Unknown: nothing happens.
}

TEST(SchedulerTest, SaysWhatCanNeverFit) {
  BlockPool pool(2);
  Scheduler scheduler({}, pool);
  EXPECT_TRUE(scheduler.CheckFits(32).ok());
  const absl::Status status = scheduler.CheckFits(33);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(
      status.message(),
      "prompt and answer together may take 33 tokens, but the cache holds "
      "32; ask for fewer: trying again cannot help");
  EXPECT_EQ(scheduler.capacity(), 32);
}

TEST(SchedulerTest, MoreReadySequencesThanTheBudgetTakeTurns) {
  BlockPool pool(100);
  Scheduler scheduler({.token_budget = 2, .max_running = 8}, pool);
  for (const int id : {1, 2, 3}) {
    scheduler.Add(id, 1, 10);
    scheduler.NextStep();
  }
  for (const int id : {1, 2, 3}) scheduler.TokenArrived(id);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 1, 1, 1}, {2, 1, 1, 1}}));
  scheduler.TokenArrived(1);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{3, 1, 1, 1}, {1, 2, 1, 1}}));
}

TEST(SchedulerTest, TheYoungestGivesItsBlocksAndIsFedAgain) {
  BlockPool pool(3);
  Scheduler scheduler({.token_budget = 100, .max_running = 4}, pool);
  scheduler.Add(1, 16, 40);
  scheduler.Add(2, 20, 48);
  EXPECT_EQ(scheduler.NextStep().slices.size(), 2u);
  scheduler.TokenArrived(2);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{2, 20, 1, 1}}));
  scheduler.TokenArrived(1);
  scheduler.TokenArrived(2);
  // 1 needs a second block: 2, which is ready with 22 tokens, gives its two.
  Step step = scheduler.NextStep();
  EXPECT_EQ(step.preempted, (Ids{2}));
  EXPECT_TRUE(step.admitted.empty());
  EXPECT_EQ(Rows(step), (Numbers{{1, 16, 1, 1}}));
  EXPECT_EQ(scheduler.waiting(), 1);
  // It needs two blocks, and waits until they are there.
  EXPECT_TRUE(scheduler.NextStep().slices.empty());
  EXPECT_FALSE(scheduler.HasWork());
  scheduler.Add(3, 1, 1);  // Does not overtake.
  EXPECT_TRUE(scheduler.NextStep().slices.empty());
  scheduler.Remove(1);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{2, 0, 22, 1}, {3, 0, 1, 1}}));
}

TEST(SchedulerTest, ARowThatWasTakenAlreadyLeavesTheStep) {
  BlockPool pool(3);
  Scheduler scheduler({.token_budget = 100, .max_running = 4}, pool);
  scheduler.Add(1, 16, 40);
  scheduler.Add(2, 20, 48);
  scheduler.NextStep();
  scheduler.TokenArrived(2);  // Its turn is first.
  scheduler.TokenArrived(1);
  const Step step = scheduler.NextStep();
  EXPECT_EQ(step.preempted, (Ids{2}));
  EXPECT_EQ(Rows(step), (Numbers{{1, 16, 1, 1}}));
}

TEST(SchedulerTest, TheWorstPreemptsItself) {
  BlockPool pool(3);
  Scheduler scheduler({.token_budget = 100, .max_running = 4}, pool);
  scheduler.Add(1, 30, 48);
  scheduler.Add(2, 16, 48);
  scheduler.NextStep();
  scheduler.TokenArrived(2);
  const Step step = scheduler.NextStep();
  EXPECT_EQ(step.preempted, (Ids{2}));
  EXPECT_TRUE(step.slices.empty());
  EXPECT_EQ(scheduler.running(), 1);
}

TEST(SchedulerTest, PrioritiesGoFirstAndTakeBlocksOnlyFromLowerOnes) {
  BlockPool pool(4);
  Scheduler scheduler({.token_budget = 100, .max_running = 4}, pool);
  scheduler.Add(1, 16, 40, 0);
  scheduler.Add(2, 48, 48, -1);
  EXPECT_EQ(Rows(scheduler.NextStep()),
            (Numbers{{1, 0, 16, 1}, {2, 0, 48, 1}}));
  // The same priority waits; a higher one takes the place of the lowest.
  scheduler.Add(3, 16, 16, -1);
  EXPECT_TRUE(scheduler.NextStep().slices.empty());
  scheduler.Add(4, 32, 32, 5);
  Step step = scheduler.NextStep();
  EXPECT_EQ(step.preempted, (Ids{2}));
  EXPECT_EQ(Rows(step), (Numbers{{4, 0, 32, 1}}));
  // Nobody is preempted where that would not make enough room.
  scheduler.Add(5, 64, 64, 1);
  step = scheduler.NextStep();
  EXPECT_TRUE(step.preempted.empty() && step.slices.empty());
  scheduler.Remove(4);
  step = scheduler.NextStep();
  EXPECT_EQ(step.preempted, (Ids{1}));
  EXPECT_EQ(Rows(step), (Numbers{{5, 0, 64, 1}}));
  scheduler.Remove(5);
  step = scheduler.NextStep();
  EXPECT_EQ(Rows(step), (Numbers{{1, 0, 16, 1}, {2, 0, 48, 1}}));
}

TEST(SchedulerTest, APriorityTakesAPlaceAmongTheMostRunning) {
  BlockPool pool(10);
  Scheduler scheduler({.token_budget = 100, .max_running = 1}, pool);
  scheduler.Add(1, 5, 10);
  scheduler.NextStep();
  scheduler.Add(2, 5, 10, 1);
  const Step step = scheduler.NextStep();
  EXPECT_EQ(step.preempted, (Ids{1}));
  EXPECT_EQ(Rows(step), (Numbers{{2, 0, 5, 1}}));
}

TEST(SchedulerTest, AHeldSequenceIsLeftOutUntilItMayGoOn) {
  BlockPool pool(10);
  Scheduler scheduler({.token_budget = 100, .max_running = 4}, pool);
  scheduler.Add(1, 5, 10);
  scheduler.Add(2, 5, 10);
  scheduler.NextStep();
  scheduler.Preempt(1, /*hold=*/true);
  EXPECT_FALSE(scheduler.HasWork());
  EXPECT_EQ(pool.available(), 9);
  scheduler.Resume(2);  // Not held: nothing happens.
  EXPECT_FALSE(scheduler.HasWork());
  scheduler.Resume(1);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 0, 5, 1}}));
  scheduler.Preempt(1, true);
  scheduler.Remove(1);
  EXPECT_FALSE(scheduler.HasWork());
}

TEST(SchedulerTest, FoundBlocksAreSharedAndTheirRowsAreMarked) {
  BlockPool pool(6);
  BlockTable found;
  Scheduler scheduler({.token_budget = 20, .max_running = 4}, pool,
                      [&found](SequenceId) { return found; });
  scheduler.Add(1, 40, 40);
  scheduler.NextStep();
  scheduler.NextStep();
  EXPECT_EQ(pool.available(), 3);
  found = {scheduler.blocks(1)[0], scheduler.blocks(1)[1]};
  scheduler.Add(2, 40, 40);
  Step step = scheduler.NextStep();
  ASSERT_EQ(step.admitted.size(), 1u);
  EXPECT_EQ(step.admitted[0].cached_tokens, 32);
  EXPECT_EQ(pool.available(), 2);  // One block of its own.
  EXPECT_EQ(pool.references(found[0]), 2);
  ASSERT_EQ(step.slices.size(), 1u);
  EXPECT_EQ(step.slices[0].cached, 20);
  step = scheduler.NextStep();
  EXPECT_EQ(step.slices[0].rows, 20);
  EXPECT_EQ(step.slices[0].cached, 12);
  EXPECT_TRUE(step.slices[0].ends_prompt);
  scheduler.Remove(1);
  EXPECT_EQ(pool.available(), 3);
  // All of a prompt may be found.
  scheduler.Add(3, 32, 40);
  step = scheduler.NextStep();
  step = scheduler.NextStep();
  EXPECT_EQ(step.slices[0].cached, 12);
  EXPECT_TRUE(step.slices[0].ends_prompt);
}

// A cluster of random sequences around the scheduler, with a prefix cache. What
// each block holds is kept beside it, to see that rows said to be cached are.
class Simulation {
 public:
  explicit Simulation(int seed) : random_(seed) {
    options_.token_budget = 4 + Pick(60);
    options_.max_running = 1 + Pick(8);
    pool_.emplace(kBlocks);
    cache_.emplace(*pool_);
    scheduler_.emplace(options_, *pool_, [this](SequenceId id) {
      return caching_ ? cache_->Find("", sequences_.at(id).tokens)
                      : BlockTable();
    });
    caching_ = Pick(4) > 0;
  }

  void Run() {
    int turns = 0;
    while (added_ < kSequences || !sequences_.empty()) {
      ASSERT_LT(++turns, 200000) << "no progress";
      const int kind = Pick(10);
      if (kind < 2 && added_ < kSequences) {
        Add();
      } else if (kind < 6 && !pending_.empty()) {
        Answer();
      } else if (kind == 6 && !sequences_.empty() && Pick(100) == 0) {
        End(std::next(sequences_.begin(),
                      Pick(static_cast<int>(sequences_.size())))
                ->first);
      } else if (kind == 7 && Pick(10) == 0) {
        HoldOne();
      } else if (kind == 8 && !held_.empty()) {
        scheduler_->Resume(*held_.begin());
        waiting_.insert(*held_.begin());
        held_.erase(held_.begin());
      } else {
        Next();
      }
      if (testing::Test::HasFatalFailure()) return;
      CheckBlocks();
      // Were nothing to happen any more, sequences would be lost.
      ASSERT_TRUE(scheduler_->HasWork() || !pending_.empty() ||
                  !held_.empty() || sequences_.empty());
    }
    EXPECT_EQ(pool_->available(), kBlocks);
    EXPECT_EQ(finished_ + cancelled_, kSequences);
    EXPECT_GT(finished_, kSequences / 2);
  }

  int preemptions() const { return preemptions_; }
  int cached_rows() const { return cached_rows_; }

 private:
  static constexpr int kBlocks = 12, kSequences = 60;
  struct Sequence {
    std::vector<std::int32_t> tokens;
    int max_tokens = 0;
    int priority = 0;
    int fed = 0;
    int published = 0;
    int cached = 0;
  };

  int Pick(int n) { return static_cast<int>(random_() % n); }

  // By priority, then age.
  std::pair<int, SequenceId> Rank(SequenceId id) const {
    return {-sequences_.at(id).priority, id};
  }

  void Add() {
    Sequence sequence;
    const int prompt = 1 + Pick(100);
    for (int i = 0; i < prompt; ++i) {
      if (i % kBlockTokens == 0) beginning_ = Pick(2);
      sequence.tokens.push_back(beginning_);
    }
    sequence.max_tokens = std::min(prompt + Pick(80), kBlocks * kBlockTokens);
    sequence.priority = Pick(3) == 0 ? Pick(3) - 1 : 0;
    const SequenceId id = ++added_;
    scheduler_->Add(id, prompt, sequence.max_tokens, sequence.priority);
    sequences_[id] = std::move(sequence);
    waiting_.insert(id);
  }

  void End(SequenceId id) {
    const Sequence& sequence = sequences_.at(id);
    ++(static_cast<int>(sequence.tokens.size()) == sequence.max_tokens
           ? finished_
           : cancelled_);
    scheduler_->Remove(id);
    sequences_.erase(id);
    for (auto* set : {&waiting_, &held_, &running_, &pending_}) set->erase(id);
  }

  void Answer() {
    const SequenceId id =
        *std::next(pending_.begin(), Pick(static_cast<int>(pending_.size())));
    Sequence& sequence = sequences_.at(id);
    if (static_cast<int>(sequence.tokens.size()) == sequence.max_tokens) {
      End(id);
      return;
    }
    pending_.erase(id);
    sequence.tokens.push_back(Pick(2));
    scheduler_->TokenArrived(id);
  }

  void HoldOne() {
    if (running_.empty()) return;
    const SequenceId id = *running_.begin();
    scheduler_->Preempt(id, true);
    Stop(id);
    held_.insert(id);
  }

  void Stop(SequenceId id) {
    Sequence& sequence = sequences_.at(id);
    sequence.fed = sequence.published = sequence.cached = 0;
    running_.erase(id);
    pending_.erase(id);
  }

  void Next() {
    const Step step = scheduler_->NextStep();
    const bool empty = step.slices.empty() && step.preempted.empty();
    if (empty) {
      ASSERT_FALSE(scheduler_->HasWork());
    }
    int rows = 0;
    for (const SequenceId id : step.preempted) {
      ASSERT_TRUE(running_.contains(id));
      Stop(id);
      waiting_.insert(id);
      ++preemptions_;
    }
    for (const auto& [id, cached] : step.admitted) {
      ASSERT_TRUE(waiting_.contains(id));
      for (const SequenceId other : waiting_) ASSERT_LE(Rank(id), Rank(other));
      waiting_.erase(id);
      running_.insert(id);
      sequences_.at(id).cached = cached;
      sequences_.at(id).published = cached / kBlockTokens;
    }
    // Who lost his blocks is worse than all that have some.
    for (const SequenceId id : step.preempted) {
      if (!waiting_.contains(id)) continue;
      for (const SequenceId other : running_) ASSERT_GT(Rank(id), Rank(other));
    }
    ASSERT_LE(static_cast<int>(running_.size()), options_.max_running);
    ASSERT_EQ(scheduler_->running(), static_cast<int>(running_.size()));
    std::set<SequenceId> seen;
    for (const Scheduler::Slice& slice : step.slices) {
      ASSERT_TRUE(running_.contains(slice.sequence));
      ASSERT_TRUE(seen.insert(slice.sequence).second);
      Sequence& sequence = sequences_.at(slice.sequence);
      BlockTable& blocks = scheduler_->blocks(slice.sequence);
      ASSERT_GE(slice.rows, 1);
      ASSERT_EQ(slice.first_position, sequence.fed);
      const int end = slice.first_position + slice.rows;
      ASSERT_LE(end, static_cast<int>(sequence.tokens.size()));
      ASSERT_GE(static_cast<int>(blocks.size()), BlocksFor(end));
      ASSERT_EQ(slice.cached,
                std::clamp(sequence.cached - sequence.fed, 0, slice.rows));
      ASSERT_EQ(slice.ends_prompt,
                end == static_cast<int>(sequence.tokens.size()));
      for (int p = slice.first_position; p < end; ++p) {
        const std::vector<std::int32_t> upto(sequence.tokens.begin(),
                                             sequence.tokens.begin() + p + 1);
        auto& slots = content_[blocks[p / kBlockTokens]];
        slots.resize(kBlockTokens);
        if (p < slice.first_position + slice.cached) {
          ASSERT_EQ(slots[p % kBlockTokens], upto)
              << "not what it is said to be";
          ++cached_rows_;
        } else {
          ASSERT_EQ(pool_->references(blocks[p / kBlockTokens]), 1)
              << "written while shared";
          slots[p % kBlockTokens] = upto;
        }
      }
      sequence.fed = end;
      rows += slice.rows;
      if (slice.ends_prompt) pending_.insert(slice.sequence);
    }
    ASSERT_LE(rows, options_.token_budget);
    if (!caching_) return;
    for (const Scheduler::Slice& slice : step.slices) {
      Sequence& sequence = sequences_.at(slice.sequence);
      for (; sequence.published < sequence.fed / kBlockTokens;
           ++sequence.published) {
        cache_->Publish("", sequence.tokens, scheduler_->blocks(slice.sequence),
                        sequence.published);
      }
    }
  }

  void CheckBlocks() {
    std::map<BlockId, int> uses;
    for (const SequenceId id : running_) {
      for (const BlockId block : scheduler_->blocks(id)) ++uses[block];
    }
    for (BlockId block = 0; block < kBlocks; ++block) {
      ASSERT_EQ(pool_->references(block),
                uses.contains(block) ? uses[block] : 0);
    }
    ASSERT_EQ(pool_->available(), kBlocks - static_cast<int>(uses.size()));
  }

  std::mt19937 random_;
  Scheduler::Options options_;
  std::optional<BlockPool> pool_;
  std::optional<PrefixCache> cache_;
  std::optional<Scheduler> scheduler_;
  bool caching_ = false;
  int beginning_ = 0;
  std::map<SequenceId, Sequence> sequences_;
  std::set<SequenceId> waiting_, held_, running_, pending_;
  // For each block and slot: the tokens up to that position.
  std::map<BlockId, std::vector<std::vector<std::int32_t>>> content_;
  int added_ = 0, finished_ = 0, cancelled_ = 0, preemptions_ = 0,
      cached_rows_ = 0;
};

TEST(SchedulerTest, RandomMixesKeepEveryRuleAndEveryoneIsDone) {
  int preemptions = 0, cached_rows = 0;
  for (int seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    Simulation simulation(seed);
    simulation.Run();
    if (HasFatalFailure()) return;
    preemptions += simulation.preemptions();
    cached_rows += simulation.cached_rows();
  }
  EXPECT_GT(preemptions, 1000);
  EXPECT_GT(cached_rows, 10000);
}

}  // namespace
}  // namespace apollo

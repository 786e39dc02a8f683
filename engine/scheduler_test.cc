#include "engine/scheduler.h"

#include <gtest/gtest.h>

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
  EXPECT_EQ(pool.available(), 8);     // Only for known tokens.
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
  // Pending sequences count as well: a long step without their rows delays
  // them, too.
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{5, 0, 5, 0}}));
  scheduler.TokenArrived(1);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 5, 1, 1}, {5, 5, 5, 0}}));
  // Two prompts begin beside four pending sequences: now the full budget
  // applies.
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
    ASSERT_EQ(step.slices.size(), 10u);  // The answers continue.
    EXPECT_EQ(step.slices[8].sequence, 9u);
    EXPECT_GE(step.slices[8].rows, 8);  // Half goes to the first prompt.
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
  // 2 does not fit beside 1 and the reserve for growth.
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
  // beginning may be cached.
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
  scheduler.SetPaused(2, true);  // Pending: its token may still arrive.
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
  // The next chunk does not wait for the result of the first.
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
  scheduler.Add(2, 32, 32);  // Needs two blocks; only one is left.
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
  scheduler.Remove(99);  // Unknown ids are ignored.
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
      "32; request fewer tokens: a retry would fail too");
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
  // 1 needs a second block: 2, which is ready with 22 tokens, gives up its two
  // blocks.
  Step step = scheduler.NextStep();
  EXPECT_EQ(step.preempted, (Ids{2}));
  EXPECT_TRUE(step.admitted.empty());
  EXPECT_EQ(Rows(step), (Numbers{{1, 16, 1, 1}}));
  EXPECT_EQ(scheduler.waiting(), 1);
  // It needs two blocks and waits for them.
  EXPECT_TRUE(scheduler.NextStep().slices.empty());
  EXPECT_FALSE(scheduler.HasWork());
  scheduler.Add(3, 1, 1);  // Must not overtake.
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
  scheduler.TokenArrived(2);  // Its turn comes first.
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
  // Equal priorities wait. A higher priority preempts the lowest.
  scheduler.Add(3, 16, 16, -1);
  EXPECT_TRUE(scheduler.NextStep().slices.empty());
  scheduler.Add(4, 32, 32, 5);
  Step step = scheduler.NextStep();
  EXPECT_EQ(step.preempted, (Ids{2}));
  EXPECT_EQ(Rows(step), (Numbers{{4, 0, 32, 1}}));
  // No sequence is preempted if that would not free enough blocks.
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
  scheduler.Resume(2);  // Not held, so ignored.
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
  EXPECT_EQ(pool.available(), 2);  // One block is not shared.
  EXPECT_EQ(pool.references(found[0]), 2);
  ASSERT_EQ(step.slices.size(), 1u);
  EXPECT_EQ(step.slices[0].cached, 20);
  step = scheduler.NextStep();
  EXPECT_EQ(step.slices[0].rows, 20);
  EXPECT_EQ(step.slices[0].cached, 12);
  EXPECT_TRUE(step.slices[0].ends_prompt);
  scheduler.Remove(1);
  EXPECT_EQ(pool.available(), 3);
  // A whole prompt may be cached.
  scheduler.Add(3, 32, 40);
  step = scheduler.NextStep();
  step = scheduler.NextStep();
  EXPECT_EQ(step.slices[0].cached, 12);
  EXPECT_TRUE(step.slices[0].ends_prompt);
}

using Replays = std::vector<std::vector<int>>;

// Id, first position, rows, cached rows, end of the prompt, replay.
Replays AllOf(const Step& step) {
  Replays numbers;
  for (const Scheduler::Slice& s : step.slices) {
    numbers.push_back({static_cast<int>(s.sequence), s.first_position, s.rows,
                       s.cached, s.ends_prompt, s.replays});
  }
  return numbers;
}

TEST(SchedulerTest, RowsBeforeTheFirstNeededOneAreNotScheduled) {
  BlockPool pool(20);
  PrefixCache cache(pool);
  std::vector<std::int32_t> tokens(70, 7);
  BlockTable table;
  ASSERT_TRUE(pool.Extend(table, 4));
  for (int i = 0; i < 4; ++i) cache.Publish("", tokens, table, i);
  pool.Release(table);
  int asked_for = -1;
  Scheduler scheduler(
      {.token_budget = 30, .max_running = 4}, pool,
      [&](SequenceId) { return cache.Find("", tokens); },
      [&](SequenceId, int cached_tokens) {
        asked_for = cached_tokens;
        return 48;
      });
  scheduler.Add(1, 70, 80);
  EXPECT_EQ(scheduler.queued_rows(), 70);
  const Step step = scheduler.NextStep();
  EXPECT_EQ(asked_for, 64);
  EXPECT_EQ(step.admitted.at(0).cached_tokens, 64);
  EXPECT_EQ(Rows(step), (Numbers{{1, 48, 22, 1}}));
  EXPECT_EQ(step.slices.at(0).cached, 16);
  EXPECT_EQ(scheduler.queued_rows(), 0);
  scheduler.CheckCounts();
  scheduler.TokenArrived(1);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 70, 1, 1}}));
  // A preempted one is asked for again.
  asked_for = -1;
  scheduler.Preempt(1, /*hold=*/false);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 48, 23, 1}}));
  EXPECT_EQ(asked_for, 64);
}

TEST(SchedulerTest, AReplayMayBeginBehindRowsThatAreNotNeeded) {
  BlockPool pool(20);
  Scheduler scheduler({.token_budget = 20, .max_running = 4}, pool);
  scheduler.Add(1, 50, 80);
  scheduler.NextStep();
  scheduler.NextStep();
  EXPECT_EQ(scheduler.CachedRows(1), 40);
  scheduler.Replay(1, 32);  // Prefilling.
  EXPECT_EQ(scheduler.CachedRows(1), 40);
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 32, 8, 0}}));
  EXPECT_EQ(Rows(scheduler.NextStep()), (Numbers{{1, 40, 10, 1}}));
  scheduler.Replay(1, 48);  // Pending.
  const Step step = scheduler.NextStep();
  EXPECT_EQ(Rows(step), (Numbers{{1, 48, 2, 1}}));
  EXPECT_TRUE(step.slices.at(0).replays);
  scheduler.CheckCounts();
}

TEST(SchedulerTest, AReplaySchedulesComputedRowsAgainInEveryState) {
  BlockPool pool(100);
  Scheduler scheduler({.token_budget = 20, .max_running = 8}, pool);
  scheduler.Add(1, 10, 40);
  scheduler.NextStep();
  scheduler.Replay(1);  // Pending: its last row is asked for again.
  EXPECT_TRUE(scheduler.Replays(1));
  EXPECT_EQ(AllOf(scheduler.NextStep()), (Replays{{1, 0, 10, 10, 1, 1}}));
  EXPECT_FALSE(scheduler.Replays(1));
  EXPECT_FALSE(scheduler.HasWork());
  scheduler.TokenArrived(1);
  scheduler.Replay(1);  // Ready.
  EXPECT_EQ(AllOf(scheduler.NextStep()), (Replays{{1, 0, 10, 10, 0, 1}}));
  EXPECT_EQ(AllOf(scheduler.NextStep()), (Replays{{1, 10, 1, 0, 1, 0}}));
  scheduler.Add(2, 50, 60);
  EXPECT_EQ(AllOf(scheduler.NextStep()), (Replays{{2, 0, 20, 0, 0, 0}}));
  scheduler.Replay(2);  // Prefilling.
  EXPECT_EQ(AllOf(scheduler.NextStep()), (Replays{{2, 0, 20, 20, 0, 1}}));
  EXPECT_EQ(AllOf(scheduler.NextStep()), (Replays{{2, 20, 20, 0, 0, 0}}));
  scheduler.Replay(2);
  scheduler.NextStep();
  scheduler.Replay(2);  // Replaying.
  EXPECT_EQ(AllOf(scheduler.NextStep()), (Replays{{2, 0, 20, 20, 0, 1}}));
  EXPECT_EQ(AllOf(scheduler.NextStep()), (Replays{{2, 20, 20, 20, 0, 1}}));
  EXPECT_EQ(AllOf(scheduler.NextStep()), (Replays{{2, 40, 10, 0, 1, 0}}));
}

TEST(SchedulerTest, ReplaysComeBehindReadySequencesAndBeforePrompts) {
  BlockPool pool(100);
  Scheduler scheduler(
      {.token_budget = 20, .mixed_token_budget = 4, .max_running = 8}, pool);
  for (const SequenceId id : {1, 2, 3}) scheduler.Add(id, 12, 40);
  while (scheduler.HasWork()) scheduler.NextStep();
  scheduler.TokenArrived(3);
  scheduler.Replay(1);
  scheduler.Replay(2);
  scheduler.Add(4, 30, 40);
  EXPECT_EQ(
      AllOf(scheduler.NextStep([](SequenceId) {
        return Scheduler::ReplayRoom{0, 8};
      })),
      (Replays{{3, 12, 1, 0, 1, 0}, {1, 0, 8, 8, 0, 1}, {4, 0, 11, 0, 0, 0}}));
  scheduler.SetPaused(1, true);
  scheduler.TokenArrived(3);
  EXPECT_EQ(AllOf(scheduler.NextStep()), (Replays{{3, 13, 1, 0, 1, 0},
                                                  {2, 0, 12, 12, 1, 1},
                                                  {4, 11, 7, 0, 0, 0}}));
  EXPECT_FALSE(scheduler.Replays(2));
  scheduler.SetPaused(1, false);
  for (const SequenceId id : {3, 4}) scheduler.Remove(id);
  EXPECT_FALSE(scheduler.HasWork([](SequenceId) {
    return Scheduler::ReplayRoom{0, 0};
  }));
  EXPECT_EQ(AllOf(scheduler.NextStep()), (Replays{{1, 8, 4, 4, 1, 1}}));
}

TEST(SchedulerTest, EachGroupHasRoomForReplaysOfItsOwn) {
  BlockPool pool(100);
  Scheduler scheduler({.token_budget = 40, .max_running = 8}, pool);
  for (const SequenceId id : {1, 2, 3, 4}) scheduler.Add(id, 10, 40);
  while (scheduler.HasWork()) scheduler.NextStep();
  for (const SequenceId id : {1, 2, 3, 4}) scheduler.Replay(id);
  // Three sequences of one group, one of another.
  const auto rooms = [](SequenceId id) {
    return id == 4 ? Scheduler::ReplayRoom{2, 6} : Scheduler::ReplayRoom{1, 14};
  };
  EXPECT_EQ(
      AllOf(scheduler.NextStep(rooms)),
      (Replays{{1, 0, 10, 10, 1, 1}, {2, 0, 4, 4, 0, 1}, {4, 0, 6, 6, 0, 1}}));
  const auto one_full = [](SequenceId id) {
    return Scheduler::ReplayRoom{id == 4 ? 2u : 1u, id == 4 ? 40 : 0};
  };
  EXPECT_TRUE(scheduler.HasWork(one_full));
  EXPECT_EQ(AllOf(scheduler.NextStep(one_full)), (Replays{{4, 6, 4, 4, 1, 1}}));
  EXPECT_FALSE(scheduler.HasWork(one_full));
  EXPECT_TRUE(scheduler.HasWork());
}

TEST(SchedulerTest, AReplayedSequenceCanLoseItsBlocks) {
  BlockPool pool(2);
  Scheduler scheduler({.token_budget = 20, .max_running = 4}, pool);
  scheduler.Add(1, 16, 32);
  scheduler.Add(2, 4, 16);
  scheduler.NextStep();
  scheduler.Replay(2);
  scheduler.TokenArrived(1);
  const Step step = scheduler.NextStep();
  EXPECT_EQ(step.preempted, Ids{2});
  EXPECT_EQ(AllOf(step), (Replays{{1, 16, 1, 0, 1, 0}}));
  EXPECT_FALSE(scheduler.Replays(2));
  scheduler.Remove(1);
  EXPECT_EQ(AllOf(scheduler.NextStep()), (Replays{{2, 0, 4, 0, 1, 0}}));
}

}  // namespace
}  // namespace apollo

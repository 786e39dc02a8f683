#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <vector>

namespace apollo {
namespace {

using Slice = Scheduler::Slice;

std::vector<std::vector<int>> AsNumbers(const std::vector<Slice>& step) {
  std::vector<std::vector<int>> numbers;
  for (const Slice& s : step) {
    numbers.push_back({static_cast<int>(s.sequence), s.first_position, s.rows,
                       s.ends_prompt});
  }
  return numbers;
}

using Step = std::vector<std::vector<int>>;

TEST(SchedulerTest, PromptThenOneRowForEachToken) {
  BlockPool pool(10);
  Scheduler scheduler({.token_budget = 100, .max_running = 4}, pool);
  EXPECT_FALSE(scheduler.HasWork());
  scheduler.Add(1, 20, 25);
  EXPECT_EQ(pool.available(), 8);  // 25 tokens take two blocks.
  EXPECT_EQ(AsNumbers(scheduler.NextStep()), (Step{{1, 0, 20, 1}}));
  EXPECT_FALSE(scheduler.HasWork());  // Pending.
  scheduler.TokenArrived(1);
  EXPECT_EQ(AsNumbers(scheduler.NextStep()), (Step{{1, 20, 1, 1}}));
  scheduler.Remove(1);
  EXPECT_EQ(pool.available(), 10);
}

TEST(SchedulerTest, RunningSequencesGoBeforeTheChunksOfALongPrompt) {
  BlockPool pool(100);
  Scheduler scheduler({.token_budget = 8, .max_running = 4}, pool);
  scheduler.Add(1, 3, 20);
  EXPECT_EQ(AsNumbers(scheduler.NextStep()), (Step{{1, 0, 3, 1}}));
  scheduler.Add(2, 20, 30);
  scheduler.TokenArrived(1);
  EXPECT_EQ(AsNumbers(scheduler.NextStep()), (Step{{1, 3, 1, 1}, {2, 0, 7, 0}}));
  // The next chunk does not wait for the first one's result.
  EXPECT_EQ(AsNumbers(scheduler.NextStep()), (Step{{2, 7, 8, 0}}));
  scheduler.TokenArrived(1);
  EXPECT_EQ(AsNumbers(scheduler.NextStep()), (Step{{1, 4, 1, 1}, {2, 15, 5, 1}}));
}

TEST(SchedulerTest, SeveralPromptsShareAStep) {
  BlockPool pool(100);
  Scheduler scheduler({.token_budget = 10, .max_running = 4}, pool);
  scheduler.Add(1, 4, 20);
  scheduler.Add(2, 4, 20);
  scheduler.Add(3, 4, 20);
  EXPECT_EQ(AsNumbers(scheduler.NextStep()),
            (Step{{1, 0, 4, 1}, {2, 0, 4, 1}, {3, 0, 2, 0}}));
  EXPECT_EQ(AsNumbers(scheduler.NextStep()), (Step{{3, 2, 2, 1}}));
}

TEST(SchedulerTest, WaitsForBlocksInOrderAndStartsWhenTheyAreFree) {
  BlockPool pool(4);
  Scheduler scheduler({.token_budget = 100, .max_running = 4}, pool);
  scheduler.Add(1, 16, 48);
  scheduler.Add(2, 16, 32);  // Two blocks: only one is left.
  scheduler.Add(3, 1, 16);   // Would fit, but must not overtake.
  EXPECT_EQ(scheduler.running(), 1);
  EXPECT_EQ(scheduler.waiting(), 2);
  EXPECT_EQ(scheduler.NextStep().size(), 1u);
  scheduler.Remove(1);
  EXPECT_EQ(AsNumbers(scheduler.NextStep()),
            (Step{{2, 0, 16, 1}, {3, 0, 1, 1}}));
}

TEST(SchedulerTest, KeepsToTheMostRunning) {
  BlockPool pool(100);
  Scheduler scheduler({.token_budget = 100, .max_running = 2}, pool);
  for (const int id : {1, 2, 3}) scheduler.Add(id, 1, 2);
  EXPECT_EQ(scheduler.running(), 2);
  scheduler.Remove(2);
  EXPECT_EQ(scheduler.running(), 2);
  EXPECT_EQ(scheduler.waiting(), 0);
}

TEST(SchedulerTest, RemovingAWaitingSequenceLetsTheNextOneIn) {
  BlockPool pool(4);
  Scheduler scheduler({.token_budget = 100, .max_running = 4}, pool);
  scheduler.Add(1, 16, 32);
  scheduler.Add(2, 16, 64);
  scheduler.Add(3, 16, 32);
  scheduler.Remove(2);
  EXPECT_EQ(AsNumbers(scheduler.NextStep()),
            (Step{{1, 0, 16, 1}, {3, 0, 16, 1}}));
  scheduler.Remove(99);  // Unknown: nothing happens.
}

TEST(SchedulerTest, SaysWhatCanNeverFit) {
  BlockPool pool(2);
  Scheduler scheduler({}, pool);
  EXPECT_TRUE(scheduler.CheckFits(32).ok());
  const absl::Status status = scheduler.CheckFits(33);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(),
            "prompt and answer together may take 33 tokens, but the cache holds "
            "32");
}

TEST(SchedulerTest, MoreReadySequencesThanTheBudgetTakeTurns) {
  BlockPool pool(100);
  Scheduler scheduler({.token_budget = 2, .max_running = 8}, pool);
  for (const int id : {1, 2, 3}) {
    scheduler.Add(id, 1, 10);
    scheduler.NextStep();
  }
  for (const int id : {1, 2, 3}) scheduler.TokenArrived(id);
  EXPECT_EQ(AsNumbers(scheduler.NextStep()), (Step{{1, 1, 1, 1}, {2, 1, 1, 1}}));
  scheduler.TokenArrived(1);
  EXPECT_EQ(AsNumbers(scheduler.NextStep()), (Step{{3, 1, 1, 1}, {1, 2, 1, 1}}));
}

}  // namespace
}  // namespace apollo

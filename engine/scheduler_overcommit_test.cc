// Admission by the expected need of sequences: Scheduler::Options::overcommit.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <vector>

#include "engine/cache_size.h"
#include "engine/scheduler.h"

namespace apollo {
namespace {

struct Outcome {
  int steps = 0;
  int rows = 0;  // Including those computed again.
  int preemptions = 0;
  int most_running = 0;
};

// Runs `sequences` at once, each with a prompt of 16 tokens, a limit of
// `limit` new ones, and an answer of answer(i) tokens.
Outcome Serve(double overcommit, int blocks, int sequences, int limit,
              const std::function<int(int)>& answer) {
  BlockPool pool(blocks);
  Scheduler scheduler({.max_running = 64, .overcommit = overcommit}, pool);
  std::map<SequenceId, int> left;  // Tokens still to come.
  for (int i = 0; i < sequences; ++i) {
    scheduler.Add(i, 16, 16 + limit);
    left[i] = answer(i);
  }
  Outcome outcome;
  while (!left.empty()) {
    const Scheduler::Step step = scheduler.NextStep();
    EXPECT_FALSE(step.slices.empty()) << "no progress";
    if (step.slices.empty()) return outcome;
    ++outcome.steps;
    outcome.preemptions += static_cast<int>(step.preempted.size());
    outcome.most_running = std::max(outcome.most_running, scheduler.running());
    for (const Scheduler::Slice& slice : step.slices) {
      outcome.rows += slice.rows;
      if (!slice.ends_prompt) continue;
      if (--left[slice.sequence] == 0) {
        left.erase(slice.sequence);
        scheduler.Remove(slice.sequence);
      } else {
        scheduler.TokenArrived(slice.sequence);
      }
    }
  }
  return outcome;
}

TEST(SchedulerOvercommitTest, TheWholeNeedIsReservedAtFirst) {
  BlockPool pool(8);
  Scheduler scheduler({.max_running = 8, .overcommit = 1}, pool);
  for (const SequenceId id : {1, 2, 3}) scheduler.Add(id, 16, 64);
  scheduler.NextStep();  // Four blocks each.
  EXPECT_EQ(scheduler.running(), 2);
  EXPECT_EQ(scheduler.waiting(), 1);
  EXPECT_EQ(scheduler.waiting_tokens(), 16);
  EXPECT_FALSE(scheduler.HasWork());
  EXPECT_EQ(pool.available(), 6);  // Reserved blocks are not taken.
  scheduler.Remove(1);
  scheduler.NextStep();
  EXPECT_EQ(scheduler.running(), 2);
  EXPECT_EQ(scheduler.waiting(), 0);
  EXPECT_EQ(scheduler.waiting_tokens(), 0);
}

TEST(SchedulerOvercommitTest, QueuedRowsAreThoseOfPromptsNotScheduledYet) {
  BlockPool pool(8);
  Scheduler scheduler({.token_budget = 10, .max_running = 1}, pool);
  scheduler.Add(1, 16, 64);
  scheduler.Add(2, 30, 64);
  EXPECT_EQ(scheduler.queued_rows(), 46);
  scheduler.NextStep();
  EXPECT_EQ(scheduler.queued_rows(), 36);
  scheduler.NextStep();
  EXPECT_EQ(scheduler.queued_rows(), 30);
  scheduler.TokenArrived(1);  // A row, but not of a prompt: soon scheduled.
  EXPECT_EQ(scheduler.queued_rows(), 31);
  scheduler.Remove(2);
  EXPECT_EQ(scheduler.queued_rows(), 1);
}

TEST(SchedulerOvercommitTest, OneSequenceMayNeedTheWholeCache) {
  BlockPool pool(8);
  Scheduler scheduler({.max_running = 8, .overcommit = 1}, pool);
  scheduler.Add(1, 16, 128);
  scheduler.Add(2, 16, 128);
  scheduler.NextStep();
  EXPECT_EQ(scheduler.running(), 1);
}

TEST(SchedulerOvercommitTest, AFactorAllowsMore) {
  BlockPool pool(8);
  Scheduler scheduler({.max_running = 8, .overcommit = 1.5}, pool);
  for (const SequenceId id : {1, 2, 3}) scheduler.Add(id, 16, 64);
  scheduler.NextStep();
  EXPECT_EQ(scheduler.running(), 3);  // Twelve blocks expected, eight exist.
}

TEST(SchedulerOvercommitTest,
     NothingIsComputedTwiceWhenAnswersReachTheirLimit) {
  const auto full = [](int) { return 100; };
  const Outcome eager = Serve(0, 40, 30, 100, full);
  const Outcome careful = Serve(1, 40, 30, 100, full);
  EXPECT_GT(eager.preemptions, 20);
  EXPECT_EQ(careful.preemptions, 0);
  EXPECT_EQ(careful.rows, 30 * (16 + 99));
  EXPECT_GT(eager.rows, careful.rows + careful.rows / 4);
}

TEST(SchedulerOvercommitTest, ShortAnswersUnderAHighLimitRunTogether) {
  // By their limits, each would take the whole cache.
  const Outcome outcome = Serve(1, 40, 200, 600, [](int) { return 10; });
  EXPECT_EQ(outcome.preemptions, 0);
  EXPECT_GE(outcome.most_running, 12);
}

TEST(SchedulerOvercommitTest, APausedSequenceReservesNothing) {
  BlockPool pool(8);
  Scheduler scheduler({.max_running = 8, .overcommit = 1}, pool);
  scheduler.Add(1, 16, 128);
  scheduler.NextStep();
  scheduler.Add(2, 16, 16);
  EXPECT_TRUE(scheduler.NextStep().slices.empty());
  scheduler.SetPaused(1, true);
  EXPECT_FALSE(scheduler.NextStep().slices.empty());
}

TEST(SchedulerOvercommitTest, AnUrgentSequenceTakesWhatItNeeds) {
  BlockPool pool(8);
  Scheduler scheduler({.max_running = 8, .overcommit = 1}, pool);
  scheduler.Add(1, 16, 64);
  scheduler.Add(2, 16, 64);
  scheduler.NextStep();
  scheduler.Add(3, 16, 64, /*priority=*/1);
  const Scheduler::Step step = scheduler.NextStep();
  EXPECT_EQ(step.preempted, std::vector<SequenceId>{2});
  ASSERT_EQ(step.admitted.size(), 1u);
  EXPECT_EQ(step.admitted[0].sequence, 3u);
}

TEST(SchedulerOvercommitTest, RoundingDoesNotMatter) {
  // (1.2 - 1) * 100 is a little less than 20, and 50 + 39 + 1 blocks leave 10
  // for the growth by 15 + 15.
  BlockPool pool(100);
  Scheduler scheduler(
      {.token_budget = 4000, .mixed_token_budget = 4000, .overcommit = 1.2},
      pool);
  scheduler.Add(1, 800, 1040);
  for (SequenceId id = 2; id <= 4; ++id) scheduler.Add(id, 16, 272, -1);
  EXPECT_EQ(scheduler.NextStep().admitted.size(), 4u);
  scheduler.Add(5, 624, 864);
  EXPECT_TRUE(scheduler.NextStep().preempted.empty());
}

}  // namespace
}  // namespace apollo

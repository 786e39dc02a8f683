#include "kernels/cuda/attention_plan.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <utility>
#include <vector>

namespace apollo::cuda {
namespace {

constexpr int kGroup = 7;

// Expects that the tasks compute every pair of every slice exactly once, with
// all of its splits.
void ExpectWhole(const std::vector<AttentionSlice>& slices,
                 const AttentionPlan& plan) {
  std::map<int, std::set<int>> pairs;  // By first row.
  const auto add = [&](const AttentionTask& task, int most) {
    EXPECT_GE(task.pairs, 1);
    EXPECT_LE(task.pairs, most);
    EXPECT_EQ(task.first_pair % kTilePairs, 0);
    for (int p = 0; p < task.pairs; ++p) {
      EXPECT_TRUE(pairs[task.first_row].insert(task.first_pair + p).second);
    }
  };
  for (const AttentionTask& task : plan.direct) add(task, kDirectPairs);
  std::map<int, std::pair<int, int>> slots;  // Slot to (pair, split).
  for (const AttentionTask& task : plan.split) {
    EXPECT_TRUE(
        slots.insert({task.slot, {task.first_pair, task.split}}).second);
  }
  for (const AttentionTask& task : plan.merge) {
    add(task, kTilePairs);
    const int last =
        task.first_position + (task.first_pair + task.pairs - 1) / kGroup;
    EXPECT_EQ(task.split, last / kSplitTokens + 1);
    for (int s = 0; s < task.split; ++s) {
      EXPECT_EQ(slots.at(task.slot + s), std::pair(task.first_pair, s));
      slots.erase(task.slot + s);
    }
  }
  EXPECT_TRUE(slots.empty());
  EXPECT_EQ(pairs.size(), slices.size());
  for (const AttentionSlice& slice : slices) {
    const auto& own = pairs.at(slice.first_row);
    EXPECT_EQ(static_cast<int>(own.size()), slice.rows * kGroup);
    EXPECT_EQ(*own.rbegin(), slice.rows * kGroup - 1);
  }
}

TEST(AttentionPlanTest, EveryPairIsComputedOnce) {
  const std::vector<AttentionSlice> slices = {
      {0, 1, 0, 0},       // The first token of a sequence.
      {1, 1, 127, 5},     // The last one of a split,
      {2, 1, 128, 20},    // and the first of the next.
      {3, 3, 1000, 40},   // A few rows.
      {6, 300, 50, 120},  // A chunk of a prompt.
      {306, 20, 30000, 150},
  };
  for (const int slots : {0, 1, 100, 100000}) {
    const AttentionPlan plan = PlanAttention(slices, kGroup, slots);
    EXPECT_LE(plan.slots, slots);
    EXPECT_EQ(static_cast<int>(plan.split.size()), plan.slots);
    ExpectWhole(slices, plan);
  }
}

TEST(AttentionPlanTest, DecodingIsSplitAndPromptsAreNot) {
  const std::vector<AttentionSlice> slices = {{0, 1, 500, 0}, {1, 512, 0, 32}};
  const AttentionPlan plan = PlanAttention(slices, kGroup, 1000);
  EXPECT_EQ(plan.slots, 4);
  EXPECT_EQ(plan.merge.size(), 1u);
  EXPECT_EQ(plan.direct.size(), 28u);  // 512 * 7 / 128
}

TEST(AttentionPlanTest, TasksAreCopiedInTheOrderOfTheirKinds) {
  const std::vector<AttentionSlice> slices = {{0, 1, 200, 3}, {1, 512, 0, 32}};
  const AttentionPlan plan = PlanAttention(slices, kGroup, 1000);
  std::vector<AttentionTask> tasks(plan.size());
  plan.CopyTo(tasks.data());
  EXPECT_EQ(tasks[0].first_row, 1);
  EXPECT_EQ(tasks[plan.direct.size()].split, 0);
  EXPECT_EQ(tasks[plan.direct.size() + 1].split, 1);
  EXPECT_EQ(tasks.back().split, 2);
  EXPECT_EQ(tasks.back().table, 3);
}

}  // namespace
}  // namespace apollo::cuda

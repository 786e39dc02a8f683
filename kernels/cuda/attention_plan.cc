#include "kernels/cuda/attention_plan.h"

#include <algorithm>

#include "common/check.h"

namespace apollo::cuda {
namespace {

int Ceil(int a, int b) { return (a + b - 1) / b; }

// Returns the number of splits that pairs up to `last_pair` attend to.
int SplitsFor(const AttentionSlice& slice, int last_pair, int group) {
  return (slice.first_position + last_pair / group) / kSplitTokens + 1;
}

AttentionTask TaskOf(const AttentionSlice& slice, int first_pair, int pairs) {
  AttentionTask task;
  task.first_row = slice.first_row;
  task.first_position = slice.first_position;
  task.table = slice.table;
  task.first_pair = first_pair;
  task.pairs = pairs;
  return task;
}

void AddDirect(const AttentionSlice& slice, int pairs, AttentionPlan& plan) {
  // The last pairs have the most keys, so they start first.
  for (int p = (pairs - 1) / kDirectPairs * kDirectPairs; p >= 0;
       p -= kDirectPairs) {
    plan.direct.push_back(TaskOf(slice, p, std::min(kDirectPairs, pairs - p)));
  }
}

void AddSplit(const AttentionSlice& slice, int pairs, int group,
              AttentionPlan& plan) {
  for (int p = 0; p < pairs; p += kTilePairs) {
    AttentionTask task = TaskOf(slice, p, std::min(kTilePairs, pairs - p));
    const int splits = SplitsFor(slice, p + task.pairs - 1, group);
    task.slot = plan.slots;
    task.split = splits;
    plan.merge.push_back(task);
    for (task.split = 0; task.split < splits; ++task.split) {
      plan.split.push_back(task);
      task.slot = ++plan.slots;
    }
  }
}

}  // namespace

void AttentionPlan::CopyTo(AttentionTask* tasks) const {
  tasks = std::copy(direct.begin(), direct.end(), tasks);
  tasks = std::copy(split.begin(), split.end(), tasks);
  std::copy(merge.begin(), merge.end(), tasks);
}

AttentionPlan PlanAttention(std::span<const AttentionSlice> slices, int group,
                            int max_slots) {
  AttentionPlan plan;
  for (const AttentionSlice& slice : slices) {
    APOLLO_CHECK(slice.rows > 0 && slice.first_position >= 0);
    const int pairs = slice.rows * group;
    const int splits = SplitsFor(slice, pairs - 1, group);
    const int slots = Ceil(pairs, kTilePairs) * splits;
    // A direct task goes through the splits one after the other. It is worth
    // its time if there are many pairs for the splits.
    const bool few_pairs = Ceil(pairs, kDirectPairs) * 2 < splits;
    const bool fits = slots <= max_slots - plan.slots;
    if (fits && (pairs < kDirectPairs || few_pairs)) {
      AddSplit(slice, pairs, group, plan);
    } else {
      AddDirect(slice, pairs, plan);
    }
  }
  return plan;
}

}  // namespace apollo::cuda

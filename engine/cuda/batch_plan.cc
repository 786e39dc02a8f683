#include "engine/cuda/batch_plan.h"

#include "common/check.h"
#include "engine/cache_size.h"
#include "kernels/attention.h"

namespace apollo::cuda {

std::int32_t SlotOf(const BlockTable& blocks, int position) {
  const auto block = static_cast<std::size_t>(position / kBlockTokens);
  return blocks[block] * kBlockTokens + position % kBlockTokens;
}

BatchPlan PlanBatch(std::span<const BatchSlice> slices, int group,
                    int max_slots) {
  BatchPlan plan;
  std::vector<AttentionSlice> attention;
  for (const BatchSlice& slice : slices) {
    APOLLO_CHECK(slice.rows > 0 && slice.first_position >= 0);
    const int end = slice.first_position + slice.rows;
    const int blocks = BlocksFor(end);
    APOLLO_CHECK(static_cast<int>(slice.blocks->size()) >= blocks);
    attention.push_back({plan.rows(), slice.rows, slice.first_position,
                         static_cast<int>(plan.tables.size())});
    plan.tables.insert(plan.tables.end(), slice.blocks->begin(),
                       slice.blocks->begin() + blocks);
    for (int position = slice.first_position; position < end; ++position) {
      plan.positions.push_back(position);
      plan.slots.push_back(SlotOf(*slice.blocks, position));
    }
  }
  plan.attention = PlanAttention(attention, group, max_slots);
  return plan;
}

std::size_t BatchLimits::tasks() const {
  // A row's direct tasks, if it were the only one of its slice. Each split task
  // has a slot, and a merge task has some.
  const int direct = (group + kDirectPairs - 1) / kDirectPairs;
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(direct) +
         2 * static_cast<std::size_t>(max_slots);
}

}  // namespace apollo::cuda

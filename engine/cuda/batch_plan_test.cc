#include "engine/cuda/batch_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace apollo::cuda {
namespace {

TEST(BatchPlanTest, RowsHaveTheirPositionsSlotsAndTables) {
  const BlockTable first = {7, 2, 9}, second = {4, 5};
  const std::vector<BatchSlice> slices = {{&first, 14, 4}, {&second, 0, 2}};
  const BatchPlan plan = PlanBatch(slices, 2, 100);
  EXPECT_EQ(plan.rows(), 6);
  EXPECT_EQ(plan.positions, (std::vector<std::int32_t>{14, 15, 16, 17, 0, 1}));
  EXPECT_EQ(plan.slots,
            (std::vector<std::int32_t>{7 * 16 + 14, 7 * 16 + 15, 2 * 16,
                                       2 * 16 + 1, 4 * 16, 4 * 16 + 1}));
  // Blocks behind the last row do not matter.
  EXPECT_EQ(plan.tables, (std::vector<std::int32_t>{7, 2, 4}));
  // Few pairs: tasks of one split, and one that merges them, for each slice.
  ASSERT_EQ(plan.attention.split.size(), 2u);
  ASSERT_EQ(plan.attention.merge.size(), 2u);
  const AttentionTask& task = plan.attention.split[1];
  EXPECT_EQ(task.first_row, 4);
  EXPECT_EQ(task.first_position, 0);
  EXPECT_EQ(task.table, 2);
  EXPECT_EQ(task.pairs, 4);
}

TEST(BatchPlanTest, PlansKeepTheLimits) {
  std::mt19937 random(1);
  const auto below = [&](int n) { return static_cast<int>(random() % n); };
  for (int i = 0; i < 1000; ++i) {
    BatchLimits limits;
    limits.rows = 1 + below(300);
    limits.blocks = 1 + below(40);
    limits.group = 1 + below(i % 2 == 0 ? 8 : 300);
    limits.max_slots = below(60);
    BlockTable blocks(static_cast<std::size_t>(limits.blocks));
    std::vector<BatchSlice> slices;
    for (int left = limits.rows; left > 0;) {
      // Often single rows, as in decoding.
      const int most = std::min(left, limits.blocks * 16);
      const int rows = below(2) == 0 ? 1 : 1 + below(most);
      slices.push_back({&blocks, below(limits.blocks * 16 - rows + 1), rows});
      left -= rows;
    }
    const BatchPlan plan = PlanBatch(slices, limits.group, limits.max_slots);
    EXPECT_EQ(plan.rows(), limits.rows);
    EXPECT_LE(plan.tables.size(), limits.tables());
    EXPECT_LE(plan.attention.size(), limits.tasks());
    EXPECT_LE(plan.attention.slots, limits.max_slots);
  }
}

}  // namespace
}  // namespace apollo::cuda

#include "engine/block_pool.h"

#include <gtest/gtest.h>

#include <set>

namespace apollo {
namespace {

TEST(BlockPoolTest, HandsOutEachBlockOnceAndNeverMoreThanThereAre) {
  BlockPool pool(3);
  std::set<BlockId> blocks;
  for (int i = 0; i < 3; ++i) blocks.insert(*pool.Allocate());
  EXPECT_EQ(blocks, (std::set<BlockId>{0, 1, 2}));
  EXPECT_FALSE(pool.Allocate().has_value());
  pool.Release(1);
  EXPECT_EQ(pool.available(), 1);
  EXPECT_EQ(pool.Allocate(), 1);
}

TEST(BlockPoolTest, ASharedBlockIsFreeWhenItsLastUserIsGone) {
  BlockPool pool(1);
  const BlockId block = *pool.Allocate();
  pool.AddReference(block);
  pool.Release(block);
  EXPECT_EQ(pool.available(), 0);
  pool.Release(block);
  EXPECT_EQ(pool.available(), 1);
}

TEST(BlockPoolTest, ExtendIsAllOrNothing) {
  BlockPool pool(4);
  BlockTable table;
  EXPECT_TRUE(pool.Extend(table, 3));
  EXPECT_FALSE(pool.Extend(table, 5));
  EXPECT_EQ(table.size(), 3u);
  EXPECT_EQ(pool.available(), 1);
  EXPECT_TRUE(pool.Extend(table, 2));  // Already longer.
  EXPECT_EQ(table.size(), 3u);
  pool.Release(table);
  EXPECT_EQ(pool.available(), 4);
  EXPECT_TRUE(table.empty());
}

TEST(BlockPoolDeathTest, ReleasingAFreeBlockIsABug) {
  BlockPool pool(1);
  EXPECT_DEATH(pool.Release(0), "broken invariant");
}

}  // namespace
}  // namespace apollo

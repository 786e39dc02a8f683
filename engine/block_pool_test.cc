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

TEST(BlockPoolTest, KeptBlocksAreHandedOutLastTheLongestIdleFirst) {
  BlockPool pool(3);
  std::vector<BlockId> evicted;
  pool.OnEviction([&evicted](BlockId block) { evicted.push_back(block); });
  BlockTable table;
  ASSERT_TRUE(pool.Extend(table, 3));
  const BlockTable blocks = table;
  pool.Keep(blocks[0]);
  pool.Keep(blocks[1]);
  pool.Release(table);  // Back to front: block 1 becomes idle before block 0.
  EXPECT_EQ(pool.available(), 3);
  EXPECT_EQ(pool.idle(), 2);
  EXPECT_EQ(pool.Allocate(), blocks[2]);
  EXPECT_TRUE(evicted.empty());
  pool.AddReference(blocks[1]);  // In use again.
  EXPECT_EQ(pool.available(), 1);
  pool.Release(blocks[1]);
  EXPECT_EQ(pool.Allocate(), blocks[0]);
  EXPECT_EQ(pool.Allocate(), blocks[1]);
  EXPECT_EQ(evicted, (std::vector<BlockId>{blocks[0], blocks[1]}));
  EXPECT_FALSE(pool.Allocate().has_value());
  // A reallocated block is no longer kept.
  pool.Release(blocks[0]);
  EXPECT_EQ(pool.idle(), 0);
}

TEST(BlockPoolDeathTest, ReleasingAFreeBlockIsABug) {
  BlockPool pool(1);
  EXPECT_DEATH(pool.Release(0), "broken invariant");
}

}  // namespace
}  // namespace apollo

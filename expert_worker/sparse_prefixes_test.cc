#include "expert_worker/sparse_prefixes.h"

#include <gtest/gtest.h>

#include <vector>

namespace apollo {
namespace {

std::vector<BlockHash> Hashes(std::initializer_list<int> numbers) {
  std::vector<BlockHash> hashes;
  for (const int n : numbers) {
    hashes.push_back({{static_cast<std::uint8_t>(n)}});
  }
  return hashes;
}

BlockUse Use(int n) { return {{static_cast<std::uint8_t>(n)}, {}}; }

class SparsePrefixesTest : public testing::Test {
 protected:
  BlockTable Fill(const std::vector<BlockHash>& hashes) {
    BlockTable table;
    EXPECT_TRUE(pool_.Extend(table, static_cast<int>(hashes.size())));
    for (int i = 0; i < static_cast<int>(hashes.size()); ++i) {
      prefixes_.Publish(hashes[i], Use(i + 1), table, i);
    }
    return table;
  }
  BlockPool pool_{4};
  SparsePrefixes prefixes_{pool_};
};

TEST_F(SparsePrefixesTest, FindsTheLongestRunFromTheFirstBlock) {
  const BlockTable table = Fill(Hashes({1, 2, 3}));
  EXPECT_EQ(prefixes_.Find(Hashes({1, 2, 3, 4})), table);
  EXPECT_EQ(prefixes_.Find(Hashes({1, 2})),
            BlockTable(table.begin(), table.end() - 1));
  EXPECT_EQ(prefixes_.Find(Hashes({1, 9, 3})), BlockTable{table[0]});
  EXPECT_TRUE(prefixes_.Find(Hashes({9, 2, 3})).empty());
  EXPECT_EQ(prefixes_.use(table[1]), Use(2));
}

TEST_F(SparsePrefixesTest, TwoThatComputeABlockEndWithOneOfThem) {
  const BlockTable first = Fill(Hashes({1, 2}));
  EXPECT_EQ(Fill(Hashes({1, 3}))[0], first[0]);
  EXPECT_EQ(pool_.references(first[0]), 2);
  EXPECT_EQ(pool_.available(), 1);
  EXPECT_EQ(prefixes_.size(), 3);
}

TEST_F(SparsePrefixesTest, TheEndOfAPrefixIsForgottenFirst) {
  BlockTable table = Fill(Hashes({1, 2, 3}));
  pool_.Release(table);
  EXPECT_EQ(pool_.available(), 4);
  BlockTable others;
  ASSERT_TRUE(pool_.Extend(others, 2));
  EXPECT_EQ(prefixes_.Find(Hashes({1, 2, 3})).size(), 2u);
  EXPECT_EQ(prefixes_.size(), 2);
  ASSERT_TRUE(pool_.Extend(others, 4));
  EXPECT_EQ(prefixes_.size(), 0);
  EXPECT_TRUE(prefixes_.Find(Hashes({1})).empty());
}

}  // namespace
}  // namespace apollo

#include "engine/prefix_cache.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "engine/block_pool.h"
#include "sequence/prefix_hash.h"

namespace apollo {
namespace {

using Tokens = std::vector<std::int32_t>;

Tokens Count(int size, int first = 0) {
  Tokens tokens;
  for (int i = 0; i < size; ++i) tokens.push_back(first + i);
  return tokens;
}

// Allocates and publishes blocks for all full blocks of the tokens.
BlockTable Fill(BlockPool& pool, PrefixCache& cache, const Tokens& tokens,
                const std::string& salt = "") {
  BlockTable table;
  const int whole = static_cast<int>(tokens.size()) / kBlockTokens;
  EXPECT_TRUE(pool.Extend(table, whole));
  for (int i = 0; i < whole; ++i) cache.Publish(salt, tokens, table, i);
  return table;
}

TEST(PrefixCacheTest, FindsTheLongestRunOfWholeBlocks) {
  BlockPool pool(10);
  PrefixCache cache(pool);
  const Tokens tokens = Count(50);
  const BlockTable table = Fill(pool, cache, tokens);
  ASSERT_EQ(table.size(), 3u);
  EXPECT_EQ(cache.Find("", tokens), table);
  EXPECT_EQ(cache.Find("", Count(48)), table);
  EXPECT_EQ(cache.Find("", Count(47)),
            BlockTable(table.begin(), table.end() - 1));
  EXPECT_TRUE(cache.Find("", Count(15)).empty());
  Tokens other = tokens;
  other[40] = 7;
  EXPECT_EQ(cache.Find("", other).size(), 2u);
  other[0] = 7;
  EXPECT_TRUE(cache.Find("", other).empty());
  // The second block's tokens are not found at the start.
  EXPECT_TRUE(cache.Find("", Count(16, 16)).empty());
}

TEST(PrefixCacheTest, TheSameTokensBehindOthersAreOtherContent) {
  BlockPool pool(10);
  PrefixCache cache(pool);
  Tokens a = Count(32), b = Count(32);
  b[3] = 99;
  const BlockTable first = Fill(pool, cache, a), second = Fill(pool, cache, b);
  EXPECT_NE(first[1], second[1]);
  EXPECT_EQ(cache.Find("", a), first);
  EXPECT_EQ(cache.Find("", b), second);
}

TEST(PrefixCacheTest, SaltsShareNothing) {
  BlockPool pool(10);
  PrefixCache cache(pool);
  const Tokens tokens = Count(32);
  const BlockTable a = Fill(pool, cache, tokens, "a");
  EXPECT_TRUE(cache.Find("b", tokens).empty());
  EXPECT_TRUE(cache.Find("", tokens).empty());
  const BlockTable b = Fill(pool, cache, tokens, "b");
  EXPECT_NE(a, b);
  EXPECT_EQ(cache.Find("a", tokens), a);
  EXPECT_EQ(cache.Find("b", tokens), b);
}

TEST(PrefixCacheTest, ASecondCopyIsReplacedByTheFirst) {
  BlockPool pool(10);
  PrefixCache cache(pool);
  const BlockTable first = Fill(pool, cache, Count(32));
  EXPECT_EQ(pool.available(), 8);
  BlockTable second = Fill(pool, cache, Count(32));
  EXPECT_EQ(second, first);
  EXPECT_EQ(pool.available(), 8);
  EXPECT_EQ(pool.references(first[0]), 2);
  pool.Release(second);
  EXPECT_EQ(pool.available(), 8);
}

TEST(PrefixCacheTest, TheLeastRecentlyUsedGoesFirstAndEndsBeforeStarts) {
  BlockPool pool(4);
  PrefixCache cache(pool);
  BlockTable a = Fill(pool, cache, Count(32)),
             b = Fill(pool, cache, Count(32, 50));
  pool.Release(a);
  pool.Release(b);
  EXPECT_EQ(pool.available(), 4);
  // `a` is used again, so `b` is the least recently used one.
  BlockTable again = cache.Find("", Count(32));
  ASSERT_EQ(again.size(), 2u);
  for (const BlockId block : again) pool.AddReference(block);
  pool.Release(again);
  BlockTable other;
  ASSERT_TRUE(pool.Extend(other, 1));
  EXPECT_EQ(cache.Find("", Count(32, 50)).size(), 1u);
  EXPECT_EQ(cache.Find("", Count(32)).size(), 2u);
  ASSERT_TRUE(pool.Extend(other, 3));
  EXPECT_TRUE(cache.Find("", Count(32, 50)).empty());
  EXPECT_EQ(cache.Find("", Count(32)).size(), 1u);
  ASSERT_TRUE(pool.Extend(other, 4));
  EXPECT_EQ(cache.size(), 0);
  EXPECT_FALSE(pool.Extend(other, 5));
}

// Runs random sequences with few prefixes and compares each found block with
// its real content.
TEST(PrefixCacheTest, RandomUseNeverFindsWrongContentNorLosesABlock) {
  for (int seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&random](int n) {
      return static_cast<int>(random() % n);
    };
    constexpr int kBlocks = 24;
    BlockPool pool(kBlocks);
    PrefixCache cache(pool);
    // The content of each published block: the salt and all tokens up to its
    // end.
    std::map<BlockId, std::pair<std::string, Tokens>> content;
    std::vector<BlockTable> live;
    for (int turn = 0; turn < 2000; ++turn) {
      if (!live.empty() && pick(3) == 0) {
        const int i = pick(static_cast<int>(live.size()));
        pool.Release(live[i]);
        live.erase(live.begin() + i);
      } else {
        const std::string salt(1, static_cast<char>('a' + pick(2)));
        Tokens tokens;
        const int blocks = 1 + pick(5);
        for (int b = 0; b < blocks; ++b) {
          const int kind = pick(3);
          for (int t = 0; t < kBlockTokens; ++t) tokens.push_back(kind);
        }
        BlockTable table = cache.Find(salt, tokens);
        for (std::size_t i = 0; i < table.size(); ++i) {
          const auto& [found_salt, found] = content.at(table[i]);
          ASSERT_EQ(found_salt, salt);
          ASSERT_EQ(found, Tokens(tokens.begin(),
                                  tokens.begin() + (i + 1) * kBlockTokens));
        }
        for (const BlockId block : table) pool.AddReference(block);
        const int known = static_cast<int>(table.size());
        if (!pool.Extend(table, blocks)) {
          pool.Release(table);
        } else {
          for (int i = known; i < blocks; ++i) {
            const BlockId before = table[i];
            cache.Publish(salt, tokens, table, i);
            if (table[i] == before) {
              content[before] = {
                  salt, Tokens(tokens.begin(),
                               tokens.begin() + (i + 1) * kBlockTokens)};
            }
          }
          live.push_back(std::move(table));
        }
      }
      std::map<BlockId, int> uses;
      for (const BlockTable& table : live) {
        for (const BlockId block : table) ++uses[block];
      }
      for (BlockId block = 0; block < kBlocks; ++block) {
        ASSERT_EQ(pool.references(block),
                  uses.contains(block) ? uses[block] : 0);
      }
      ASSERT_EQ(pool.available(), kBlocks - static_cast<int>(uses.size()));
    }
    for (BlockTable& table : live) pool.Release(table);
    EXPECT_EQ(pool.available(), kBlocks);
    BlockTable all;
    EXPECT_TRUE(pool.Extend(all, kBlocks));
    EXPECT_EQ(cache.size(), 0);
  }
}

// The tokens of a prompt of whole blocks, each of one token.
std::vector<std::int32_t> Blocks(std::vector<std::int32_t> tokens) {
  std::vector<std::int32_t> prompt;
  for (const std::int32_t token : tokens) {
    prompt.insert(prompt.end(), kBlockTokens, token);
  }
  return prompt;
}

void PublishAll(PrefixCache& cache, BlockPool& pool, const std::string& salt,
                const std::vector<std::int32_t>& tokens) {
  BlockTable table = cache.Find(salt, tokens);
  const int found = static_cast<int>(table.size());
  for (const BlockId block : table) pool.AddReference(block);
  cache.Use(table, found);
  const int blocks = static_cast<int>(tokens.size()) / kBlockTokens;
  ASSERT_TRUE(pool.Extend(table, blocks));
  for (int i = found; i < blocks; ++i) cache.Publish(salt, tokens, table, i);
  pool.Release(table);
}

TEST(PrefixHashesTest, ThoseUsedLastComeFirstBehindTheirBeginnings) {
  BlockPool pool(10);
  PrefixCache cache(pool, "model");
  EXPECT_TRUE(cache.Recent(10).empty());
  const PrefixHasher plain("model", ""), salted("model", "tenant");
  PublishAll(cache, pool, "", Blocks({1, 2, 3}));
  PublishAll(cache, pool, "tenant", Blocks({1, 2}));
  const auto a = plain.Chain(Blocks({1, 2, 3})),
             b = salted.Chain(Blocks({1, 2}));
  using Hashes = std::vector<std::uint64_t>;
  EXPECT_EQ(cache.Recent(10), (Hashes{b[0], b[1], a[0], a[1], a[2]}));
  EXPECT_EQ(cache.Recent(3), (Hashes{b[0], b[1], a[0]}));
  const std::uint64_t before = cache.changes();
  EXPECT_EQ(cache.Recent(10), cache.Recent(10));
  EXPECT_EQ(cache.changes(), before);
  // A second branch behind the first two blocks.
  PublishAll(cache, pool, "", Blocks({1, 2, 4}));
  EXPECT_GT(cache.changes(), before);
  const auto c = plain.Chain(Blocks({1, 2, 4}));
  EXPECT_EQ(cache.Recent(4), (Hashes{c[0], c[1], c[2], b[0]}));
}

TEST(PrefixHashesTest, ForgottenBlocksAreNotAnnounced) {
  BlockPool pool(3);
  PrefixCache cache(pool, "model");
  PublishAll(cache, pool, "", Blocks({1, 2, 3}));
  const std::uint64_t before = cache.changes();
  PublishAll(cache, pool, "", Blocks({7}));  // Takes the place of the third.
  const PrefixHasher hasher("model", "");
  EXPECT_EQ(cache.Recent(10),
            (std::vector<std::uint64_t>{hasher.Chain(Blocks({7}))[0],
                                        hasher.Chain(Blocks({1, 2}))[0],
                                        hasher.Chain(Blocks({1, 2}))[1]}));
  EXPECT_GT(cache.changes(), before);
}

}  // namespace
}  // namespace apollo

#include "sequence/block_hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace apollo {
namespace {

using Tokens = std::vector<std::int32_t>;

Tokens Count(int size, int first = 0) {
  Tokens tokens;
  for (int i = 0; i < size; ++i) tokens.push_back(first + i);
  return tokens;
}

std::vector<BlockHash> Hashes(const Tokens& tokens,
                              const GenerationRequest& request = {},
                              const std::string& model = "m",
                              const std::string& numerics = "n") {
  BlockHashes hashes(model, numerics, request);
  const auto all = hashes.Of(tokens);
  return {all.begin(), all.end()};
}

TEST(BlockHashTest, OnlyWholeBlocksHaveOne) {
  EXPECT_TRUE(Hashes(Count(15)).empty());
  EXPECT_EQ(Hashes(Count(16)).size(), 1u);
  EXPECT_EQ(Hashes(Count(47)).size(), 2u);
  EXPECT_EQ(Hashes(Count(48)).size(), 3u);
}

TEST(BlockHashTest, EachCoversAllTokensBeforeIt) {
  const auto hashes = Hashes(Count(48));
  Tokens other = Count(48);
  other[20] = 7;
  const auto changed = Hashes(other);
  EXPECT_EQ(changed[0], hashes[0]);
  EXPECT_NE(changed[1], hashes[1]);
  EXPECT_NE(changed[2], hashes[2]);
  // The same tokens in another place are other content.
  EXPECT_NE(Hashes(Count(16, 16))[0], hashes[1]);
}

TEST(BlockHashTest, TokensThatComeLaterGoOnWithTheChain) {
  BlockHashes grows("m", "n", {});
  const Tokens tokens = Count(48);
  for (std::size_t size = 0; size <= tokens.size(); size += 5) {
    EXPECT_EQ(grows.Of(std::span(tokens).first(size)).size(), size / 16);
  }
  const auto all = grows.Of(tokens);
  EXPECT_EQ(std::vector<BlockHash>(all.begin(), all.end()), Hashes(tokens));
  EXPECT_EQ(grows.Of(std::span(tokens).first(20)).size(), 1u);
}

// Whatever changes the content of a block, or who may share it.
TEST(BlockHashTest, TheRootSeparatesWhatMustNotBeShared) {
  const Tokens tokens = Count(16);
  GenerationRequest salted, other_salt, pinned, other_pinned;
  salted.cache_salt = "tenant:a";
  other_salt.cache_salt = "tenant:b";
  pinned.family = 0;
  pinned.hybrid = true;
  other_pinned.family = 3;
  other_pinned.hybrid = true;
  std::set<std::array<std::uint8_t, 16>> all;
  all.insert(Hashes(tokens)[0].bytes);
  all.insert(Hashes(tokens, salted)[0].bytes);
  all.insert(Hashes(tokens, other_salt)[0].bytes);
  all.insert(Hashes(tokens, pinned)[0].bytes);
  all.insert(Hashes(tokens, other_pinned)[0].bytes);
  all.insert(Hashes(tokens, {}, "m2")[0].bytes);
  all.insert(Hashes(tokens, {}, "m", "n2")[0].bytes);
  // Where one text ends and the next begins counts, too.
  all.insert(Hashes(tokens, {}, "mn", "")[0].bytes);
  EXPECT_EQ(all.size(), 8u);
}

TEST(BlockHashTest, FamiliesShareUnlessTheirExpertIsPinned) {
  GenerationRequest german, swahili;
  german.family = 4;
  swahili.family = 6;
  EXPECT_EQ(Hashes(Count(16), german), Hashes(Count(16), swahili));
}

}  // namespace
}  // namespace apollo

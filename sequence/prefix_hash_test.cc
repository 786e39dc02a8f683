#include "sequence/prefix_hash.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

namespace apollo {
namespace {

std::vector<std::int32_t> Tokens(int count) {
  std::vector<std::int32_t> tokens(count);
  std::iota(tokens.begin(), tokens.end(), 100);
  return tokens;
}

TEST(PrefixHashTest, OneForEachWholeBlock) {
  const PrefixHasher hasher("model", "");
  EXPECT_TRUE(hasher.Chain(Tokens(15)).empty());
  EXPECT_EQ(hasher.Chain(Tokens(16)).size(), 1u);
  const auto chain = hasher.Chain(Tokens(70));
  EXPECT_EQ(chain.size(), 4u);
  EXPECT_EQ(chain, hasher.Chain(Tokens(64)));
  EXPECT_EQ(std::set<std::uint64_t>(chain.begin(), chain.end()).size(), 4u);
  EXPECT_EQ(chain[0], hasher.Next(0, Tokens(16)));
}

// Routers and workers of different builds must agree.
TEST(PrefixHashTest, IsTheSameOnEveryMachine) {
  EXPECT_EQ(PrefixHasher("model", "salt").Chain(Tokens(16)).at(0),
            0xbfa123a70755f710u);
}

TEST(PrefixHashTest, DependsOnAllTokensBefore) {
  const PrefixHasher hasher("model", "");
  auto changed = Tokens(64);
  changed[20] += 1;
  const auto a = hasher.Chain(Tokens(64)), b = hasher.Chain(changed);
  EXPECT_EQ(a[0], b[0]);
  for (const int i : {1, 2, 3}) EXPECT_NE(a[i], b[i]);
  // The second block alone is another prompt.
  const auto tail = std::vector(changed.begin() + 16, changed.end());
  EXPECT_NE(hasher.Chain(tail)[0], b[1]);
}

TEST(PrefixHashTest, TenantsAndModelsDoNotMatchEachOther) {
  const auto plain = PrefixHasher("model", "").Chain(Tokens(32));
  std::set<std::uint64_t> all(plain.begin(), plain.end());
  for (const auto& [model, salt] : {std::pair("model", "a"),
                                    {"model", "b"},
                                    {"other", ""},
                                    {"mode", "l"}}) {
    for (const auto hash : PrefixHasher(model, salt).Chain(Tokens(32))) {
      EXPECT_TRUE(all.insert(hash).second) << model << " " << salt;
    }
  }
}

TEST(PrefixHashTest, AtMostSoMany) {
  EXPECT_EQ(PrefixHasher("m", "")
                .Chain(std::vector<std::int32_t>(20 * kMostPrefixes))
                .size(),
            kMostPrefixes);
}

TEST(PrefixHashTest, TheVersionChangesWithTheHashes) {
  std::set<std::uint64_t> versions;
  for (const auto& hashes : std::vector<std::vector<std::uint64_t>>{
           {}, {1}, {2}, {1, 2}, {2, 1}, {0}}) {
    const std::uint64_t version = MakeCachedPrefixes(hashes).version;
    EXPECT_NE(version, 0u);
    EXPECT_TRUE(versions.insert(version).second);
  }
}

}  // namespace
}  // namespace apollo

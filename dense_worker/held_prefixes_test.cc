#include "dense_worker/held_prefixes.h"

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

TEST(HeldPrefixesTest, CountsTheBlocksBeforeTheFirstUnknownOne) {
  HeldPrefixes held;
  EXPECT_EQ(held.Count(Hashes({1})), 0);
  held.Add(Hashes({1, 2, 3}));
  EXPECT_EQ(held.Count({}), 0);
  EXPECT_EQ(held.Count(Hashes({1, 2})), 2);
  EXPECT_EQ(held.Count(Hashes({1, 2, 3, 4})), 3);
  EXPECT_EQ(held.Count(Hashes({1, 9, 3})), 1);
  held.Remove(Hashes({2, 7}));
  EXPECT_EQ(held.Count(Hashes({1, 2, 3})), 1);
  EXPECT_EQ(held.size(), 2u);
}

TEST(HeldPrefixesTest, ForgetsWhatWasUsedLongestAgoFromItsEnd) {
  HeldPrefixes held;
  held.SetMost(4);
  held.Add(Hashes({1, 2}));
  held.Add(Hashes({5, 6}));
  held.Add(Hashes({1}));  // Used again.
  held.Add(Hashes({7}));
  EXPECT_EQ(held.size(), 4u);
  EXPECT_EQ(held.Count(Hashes({1, 2})), 1);
  EXPECT_EQ(held.Count(Hashes({5, 6})), 2);
  held.Add(Hashes({8}));
  EXPECT_EQ(held.Count(Hashes({5, 6})), 1);
  held.SetMost(1);
  EXPECT_EQ(held.size(), 1u);
  EXPECT_EQ(held.Count(Hashes({8})), 1);
}

TEST(HeldPrefixesTest, IsBoundedWhateverTheWorkerHolds) {
  HeldPrefixes held;
  held.SetMost(2 * HeldPrefixes::kMost);
  std::vector<BlockHash> hashes(HeldPrefixes::kMost + 10);
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    for (int b = 0; b < 4; ++b) {
      hashes[i].bytes[b] = static_cast<std::uint8_t>(i >> (8 * b));
    }
  }
  held.Add(hashes);
  EXPECT_EQ(held.size(), HeldPrefixes::kMost);
  EXPECT_EQ(held.Count(hashes), static_cast<int>(HeldPrefixes::kMost));
}

}  // namespace
}  // namespace apollo

#include "router/announced_prefixes.h"

#include <gtest/gtest.h>

#include <vector>

namespace apollo {
namespace {

using Hashes = std::vector<std::uint64_t>;

TEST(AnnouncedPrefixesTest, TheLongestRunFromTheBeginning) {
  AnnouncedPrefixes prefixes;
  EXPECT_EQ(prefixes.Longest(Hashes{1}), 0u);
  prefixes.Take({7, {3, 1, 2, 5}});
  EXPECT_EQ(prefixes.version(), 7u);
  EXPECT_EQ(prefixes.Longest(Hashes{1, 2, 3, 4, 5}), 3u);
  EXPECT_EQ(prefixes.Longest(Hashes{4, 5}), 0u);
  EXPECT_EQ(prefixes.Longest(Hashes{}), 0u);
}

TEST(AnnouncedPrefixesTest, AnAnswerWithTheSameVersionKeepsThem) {
  AnnouncedPrefixes prefixes;
  prefixes.Take({7, {1}});
  prefixes.Take({7, {}});
  EXPECT_EQ(prefixes.Longest(Hashes{1}), 1u);
  prefixes.Take({8, {2}});
  EXPECT_EQ(prefixes.Longest(Hashes{1}), 0u);
  prefixes.Clear();
  EXPECT_EQ(prefixes.version(), 0u);
  EXPECT_EQ(prefixes.Longest(Hashes{2}), 0u);
}

TEST(AnnouncedPrefixesTest, APromptJustSentCountsUntilTheNextAnnouncement) {
  AnnouncedPrefixes prefixes;
  prefixes.Expect(Hashes{1, 2});
  EXPECT_EQ(prefixes.Longest(Hashes{1}), 0u);  // It shares no prefixes.
  prefixes.Take({7, {1}});
  prefixes.Expect(Hashes{1, 2, 3});
  EXPECT_EQ(prefixes.Longest(Hashes{1, 2, 3, 4}), 3u);
  prefixes.Take({8, {1, 2}});
  EXPECT_EQ(prefixes.Longest(Hashes{1, 2, 3}), 2u);
}

TEST(AnnouncedPrefixesTest, ExpectationsAreBounded) {
  AnnouncedPrefixes prefixes;
  prefixes.Take({7, {}});
  Hashes many(kMostPrefixes + 1);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = i;
  prefixes.Expect(many);
  EXPECT_EQ(prefixes.Longest(many), kMostPrefixes);
}

}  // namespace
}  // namespace apollo

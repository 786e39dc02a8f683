#include "sequence/routing.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(AddRoutingTest, SumsEveryCellAndKeepsTheOrder) {
  RoutingCounts sum = {absl::Seconds(5),
                       {{"de", 3, 2, {{4, {1, 2}, 1}, {5, {3, 0}, 0}}}}};
  AddRouting({absl::Seconds(9),
              {{"ar", 1, 1, {{4, {0, 1}, 1}}},
               {"de", 10, 10, {{4, {10, 20}, 4}, {5, {30, 0}, 7}}},
               {"und", 2, 0, {{4, {2, 0}, 0}}}}},
             sum);
  EXPECT_EQ(sum.covered, absl::Seconds(9));
  ASSERT_EQ(sum.languages.size(), 3u);
  EXPECT_EQ(sum.languages[0].language, "ar");
  EXPECT_EQ(sum.languages[2].language, "und");
  const LanguageUse& de = sum.languages[1];
  EXPECT_EQ(de.language, "de");
  EXPECT_EQ(de.tokens, 13u);
  EXPECT_EQ(de.family_tokens, 12u);
  ASSERT_EQ(de.layers.size(), 2u);
  EXPECT_EQ(de.layers[0].tokens_by_expert,
            (std::vector<std::uint64_t>{11, 22}));
  EXPECT_EQ(de.layers[0].off_family_tokens, 5u);
  EXPECT_EQ(de.layers[1].tokens_by_expert, (std::vector<std::uint64_t>{33, 0}));
  EXPECT_EQ(de.layers[1].off_family_tokens, 7u);
}

TEST(AddRoutingTest, IntoNothing) {
  RoutingCounts sum;
  AddRouting({absl::Seconds(1), {{"de", 1, 1, {{4, {1, 2}, 1}}}}}, sum);
  ASSERT_EQ(sum.languages.size(), 1u);
  EXPECT_EQ(sum.languages[0].layers[0].tokens_by_expert,
            (std::vector<std::uint64_t>{1, 2}));
}

}  // namespace
}  // namespace apollo

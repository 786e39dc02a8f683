#include "model/language/fasttext_labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace apollo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const FamilyTable& Table() {
  static const FamilyTable* const table = [] {
    auto parsed = FamilyTable::Parse("0 a: de hi no\n1 b: sr\n", "t");
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    return new FamilyTable(*std::move(parsed));
  }();
  return *table;
}

// Returns the labels by name.
std::map<std::string, FastTextLabel> Read(
    const std::vector<std::string>& names,
    const std::vector<std::string>& expected = {}) {
  const auto labels =
      ReadFastTextLabels(names, FastTextSettings(), "m", Table(), expected);
  EXPECT_TRUE(labels.ok()) << labels.status();
  std::map<std::string, FastTextLabel> by_name;
  for (std::size_t i = 0; i < names.size(); ++i) {
    by_name[names[i]] = labels->at(i);
  }
  return by_name;
}

TEST(FastTextLabelsTest, ReadsCodesAndScripts) {
  auto labels = Read({"__label__deu_Latn", "__label__hin_Latn", "__label__hi",
                      "__label__nob_Latn", "__label__srp_Cyrl",
                      "__label__pes_Arab", "__label__zxx"});
  EXPECT_EQ(labels["__label__deu_Latn"].code, "de");
  EXPECT_EQ(labels["__label__deu_Latn"].language, 0);
  EXPECT_FALSE(labels["__label__deu_Latn"].romanised);
  EXPECT_TRUE(labels["__label__hin_Latn"].romanised);
  EXPECT_THAT(labels["__label__hin_Latn"].scripts, ElementsAre("Latn"));
  EXPECT_THAT(labels["__label__hi"].scripts, ElementsAre("Deva"));
  EXPECT_EQ(labels["__label__nob_Latn"].code, "no");
  EXPECT_THAT(labels["__label__srp_Cyrl"].scripts, ElementsAre("Cyrl", "Latn"));
  EXPECT_EQ(labels["__label__pes_Arab"].code, "fa");
  EXPECT_EQ(labels["__label__pes_Arab"].language, -1);
  EXPECT_THAT(labels["__label__pes_Arab"].scripts, ElementsAre("Arab"));
  EXPECT_TRUE(labels["__label__zxx"].neutral);
  EXPECT_FALSE(labels["__label__deu_Latn"].neutral);
}

TEST(FastTextLabelsTest, ThePriorIsThatOfTheDocumentation) {
  const std::vector<std::string> names = {"__label__de",      "__label__hi",
                                          "__label__hi_Latn", "__label__sr",
                                          "__label__tr",      "__label__zxx"};
  for (const auto& [name, label] : Read(names)) {
    EXPECT_EQ(label.expected, label.prior) << name;
  }
  // W = 1 + 1 + 1 + 0.5 without the romanised label; two languages share 0.7 W.
  const double share = 0.7 * 3.5 / 2;
  auto labels = Read(names, {"de", "tr"});
  EXPECT_EQ(labels["__label__de"].prior, 1);
  EXPECT_DOUBLE_EQ(labels["__label__de"].expected, 0.3 + share);
  EXPECT_EQ(labels["__label__tr"].prior, 0.5);
  EXPECT_DOUBLE_EQ(labels["__label__tr"].expected, 0.3 * 0.5 + share);
  EXPECT_EQ(labels["__label__hi"].prior, 1);
  EXPECT_DOUBLE_EQ(labels["__label__hi"].expected, 0.3);
  EXPECT_DOUBLE_EQ(labels["__label__sr"].expected, 0.3);
  EXPECT_EQ(labels["__label__zxx"].prior, 6);
  EXPECT_EQ(labels["__label__zxx"].expected, 6);
  double sum = 0;
  for (const auto& [name, label] : labels) {
    if (!label.neutral && !label.romanised) sum += label.expected;
  }
  EXPECT_DOUBLE_EQ(sum, 3.5);
}

TEST(FastTextLabelsTest, OneLabelMustBeInTheTable) {
  const auto none = ReadFastTextLabels({"__label__tr", "__label__zxx"},
                                       FastTextSettings(), "m", Table(), {});
  EXPECT_EQ(none.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(none.status().message()),
              HasSubstr("m: none of its 2 labels"));
}

}  // namespace
}  // namespace apollo

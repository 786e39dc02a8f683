#include "model/language/language_labels.h"

#include <gtest/gtest.h>

#include <string>

namespace apollo {
namespace {

TEST(LanguageLabelsTest, TheTablesCodesAndOneMore) {
  const LanguageLabels labels(FamilyTable::Paper());
  EXPECT_EQ(labels.size(), 51);
  for (const std::string& language : FamilyTable::Paper().languages()) {
    EXPECT_EQ(labels.name(labels.Index(language)), language);
  }
  for (int i = 1; i < labels.size(); ++i) {
    EXPECT_LT(labels.name(i - 1), labels.name(i));
  }
}

TEST(LanguageLabelsTest, EverythingElseIsUndetermined) {
  const LanguageLabels labels(FamilyTable::Paper());
  for (const std::string text :
       {"", "fi", "EN", "en ", "und", "what ails me", "\xff"}) {
    EXPECT_EQ(labels.name(labels.Index(text)), "und") << text;
  }
  EXPECT_EQ(labels.name(labels.Index(std::string(100'000, 'x'))), "und");
}

TEST(LanguageLabelsTest, ATableMayNameItItself) {
  const LanguageLabels labels(*FamilyTable::Parse("0 a: en und\n", "f.txt"));
  EXPECT_EQ(labels.size(), 2);
  EXPECT_EQ(labels.name(labels.Index("und")), "und");
  EXPECT_EQ(labels.name(labels.Index("de")), "und");
}

}  // namespace
}  // namespace apollo

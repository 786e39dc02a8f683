#include "benchmarks/language/evaluation.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace apollo {
namespace {

// Takes every text for German, except empty text.
class German : public LanguageDetector {
 public:
  Detection Detect(std::string_view text) const override {
    if (text.empty()) return {};
    return {{{"de", 0.9}}};
  }
};

TEST(EvaluateTest, AveragesOverLanguagesNotOverSentences) {
  const std::vector<Sentence> sentences = {{"de", "x", "a"}, {"de", "x", "b"},
                                           {"de", "x", "c"}, {"en", "x", "d"},
                                           {"zh", "x", "e"}, {"zh", "x", ""}};
  const Score score =
      Evaluate(German(), FamilyTable::Paper(), sentences,
               [](const Sentence& s, std::size_t) { return s.text; });
  EXPECT_DOUBLE_EQ(score.language, 1.0 / 3);
  // German and English belong to one family.
  EXPECT_DOUBLE_EQ(score.family, 2.0 / 3);
  EXPECT_EQ(score.by_language.at("de").right, 3);
  EXPECT_EQ(score.by_language.at("zh").all, 2);
  EXPECT_EQ(score.confusions.at({"en", "de"}), 1);
  EXPECT_EQ(score.confusions.at({"zh", "-"}), 1);
}

TEST(CountChoicesTest, RightNoneAndWrong) {
  const std::vector<Sentence> sentences = {{"de", "x", "a"},  {"en", "x", "b"},
                                           {"zh", "x", "c"},  {"zh", "x", ""},
                                           {"zxx", "x", "d"}, {"zxx", "x", ""}};
  const Choices sure =
      CountChoices(German(), FamilyTable::Paper(), sentences, 0.5);
  EXPECT_EQ(sure.right, 2);  // English belongs to German's family.
  EXPECT_EQ(sure.undecided, 2);
  EXPECT_EQ(sure.wrong, 2);
  // No family is right for text in no language.
  ASSERT_EQ(sure.mistakes.size(), 3u);
  EXPECT_EQ(sure.mistakes[0], "WRONG zh c de 0.90 zxx 0.00");
  EXPECT_EQ(sure.mistakes[1], "undecided zh  zxx 0.00");
  EXPECT_EQ(CountChoices(German(), FamilyTable::Paper(), sentences, 0.95).right,
            0);
}

TEST(CutTest, KeepsCharactersWhole) {
  EXPECT_EQ(Cut("頭痛です", 2), "頭痛");
  EXPECT_EQ(Cut("abc", 5), "abc");
  EXPECT_EQ(Cut("abc", 0), "");
}

// Compared with R's prop.test(right, all, correct = FALSE).
TEST(WilsonIntervalTest, KnownValues) {
  EXPECT_NEAR(WilsonInterval(4, 4).first, 0.5101, 1e-4);
  EXPECT_NEAR(WilsonInterval(4, 4).second, 1.0, 1e-9);
  EXPECT_NEAR(WilsonInterval(95, 100).first, 0.8882, 1e-4);
  EXPECT_NEAR(WilsonInterval(95, 100).second, 0.9785, 1e-4);
  EXPECT_NEAR(WilsonInterval(0, 10).second, 0.2775, 1e-4);
  EXPECT_EQ(WilsonInterval(0, 0), std::make_pair(0.0, 1.0));
}

}  // namespace
}  // namespace apollo

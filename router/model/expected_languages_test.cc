// The effect of expected languages on the held-out questions and texts, with
// the default detector and threshold. Prints the table of docs/languages.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/language/default_detector.h"
#include "model/language/families.h"
#include "router/model/language_choice.h"

namespace apollo {
namespace {

struct Text {
  std::string language;  // Empty: in none.
  std::string text;
};

void ReadTexts(const std::string& name, bool neutral,
               std::vector<Text>* texts) {
  std::ifstream file("model/language/testdata/" + name);
  for (std::string line; std::getline(file, line);) {
    Text& text = texts->emplace_back();
    if (!neutral) text.language = line.substr(0, line.find('\t'));
    text.text = line.substr(line.rfind('\t') + 1);
    for (std::size_t at; (at = text.text.find("\\n")) != std::string::npos;) {
      text.text.replace(at, 2, "\n");
    }
  }
}

struct Tally {
  int right = 0, none = 0, wrong = 0;  // Numbers of texts, by their family.
};

struct Result {
  Tally expected, others;
  int forced_neutral = 0;  // Texts in no language that force a family.
};

bool Contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// Judges the texts in a deployment that expects `languages`; the results are
// for `expected`.
Result Judge(const std::vector<std::string>& expected,
             const std::vector<std::string>& languages) {
  static const std::vector<Text>* const texts = [] {
    auto* read = new std::vector<Text>;
    ReadTexts("short_questions.tsv", false, read);
    ReadTexts("more_short_questions.tsv", false, read);
    ReadTexts("neutral_texts.tsv", true, read);
    ReadTexts("more_neutral_texts.tsv", true, read);
    EXPECT_EQ(read->size(), 400u + 200 + 60 + 50);
    return read;
  }();
  RouterModel model;
  model.config.num_experts = 7;
  auto detector = MakeDefaultDetector(model.families, languages);
  EXPECT_TRUE(detector.ok()) << detector.status();
  Result result;
  if (!detector.ok()) return result;
  model.detector = *std::move(detector);
  for (const Text& text : *texts) {
    PromptInput input;
    input.prompt = text.text;
    const int family = ChooseLanguage(model, input).family;
    if (text.language.empty()) {
      result.forced_neutral += family >= 0;
      continue;
    }
    Tally& tally =
        Contains(expected, text.language) ? result.expected : result.others;
    const bool right = family == model.families.ExpertOf(text.language);
    tally.right += right;
    tally.none += family < 0;
    tally.wrong += !right && family >= 0;
  }
  std::printf("| %s | %d | %d | %d | %d | %d | %d | %d |\n",
              languages.empty() ? "none" : "these", result.expected.right,
              result.expected.none, result.expected.wrong, result.others.right,
              result.others.none, result.others.wrong, result.forced_neutral);
  return result;
}

TEST(ExpectedLanguagesTest, MoreExpectedQuestionsAreRightAndFewOthersAreLost) {
  const std::vector<std::vector<std::string>> kDeployments = {
      {"en"},
      {"en", "es"},
      {"de", "fr", "tr"},
      {"sw", "rw", "ln", "en"},
      {"hi", "ne", "mai"}};
  int gained = 0;
  for (const std::vector<std::string>& expected : kDeployments) {
    std::string name;
    for (const std::string& language : expected) name += language + " ";
    SCOPED_TRACE(name);
    std::printf("%s\n", name.c_str());
    const Result without = Judge(expected, {});
    const Result with = Judge(expected, expected);
    EXPECT_GE(with.expected.right, without.expected.right);
    EXPECT_EQ(with.expected.wrong, 0);
    gained += with.expected.right - without.expected.right;
    // Other languages are still detected.
    EXPECT_GE(with.others.right, 0.98 * without.others.right);
    EXPECT_LE(with.others.wrong, without.others.wrong + 1);
    EXPECT_LE(with.forced_neutral, 25);
  }
  EXPECT_GE(gained, 4);
}

}  // namespace
}  // namespace apollo

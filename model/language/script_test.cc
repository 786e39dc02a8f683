#include "model/language/script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "model/language/families.h"

namespace apollo {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

TEST(DominantScriptTest, NamesTheScript) {
  EXPECT_EQ(DominantScript("what is it").script, "Latn");
  EXPECT_EQ(DominantScript("что это").script, "Cyrl");
  EXPECT_EQ(DominantScript("고혈압").script, "Hang");
  EXPECT_EQ(DominantScript("高血圧").script, "Hani");
  EXPECT_EQ(DominantScript("かゆみ").script, "Hani");
  EXPECT_EQ(DominantScript("").script, "");
  EXPECT_EQ(DominantScript("123 ?").script, "");
}

TEST(DominantScriptTest, LatinTermsInOtherText) {
  const ScriptText text = DominantScript("阿司匹林 aspirin 可以一起吃吗 ct");
  EXPECT_EQ(text.script, "Hani");
  EXPECT_EQ(text.text, "阿司匹林 可以一起吃吗");
  EXPECT_EQ(text.letters, 10);
  EXPECT_EQ(DominantScript("можно ли ibuprofen").script, "Cyrl");
  // One foreign word does not change an English question.
  EXPECT_EQ(
      DominantScript("what does the word 痛 mean in english please").script,
      "Latn");
}

TEST(QuestionScriptTest, AFewLettersWinOverManyLatinTerms) {
  const struct {
    const char* prose;
    const char* script;
  } kCases[] = {
      {"이 약은 얼마나 augmentin extended release tablets", "Hang"},
      {"可以吃 metoprolol succinate amlodipine besylate atorvastatin 吗",
       "Hani"},
      {"можно ли augmentin clavulanate potassium extended release", "Cyrl"},
      {"กินยา amoxicillin clavulanate potassium extended ได้ไหม", "Thai"},
      {"amoxicillin clavulanate potassium פעמיים ביום", "Hebr"},
      // One letter is not enough, nor are a few among very many.
      {"augmentin clavulanate 痛", "Latn"},
      {"augmentin clavulanate potassium extended release tablets amoxicillin "
       "hydrochloride metoprolol succinate боль",
       "Latn"},
      // Nor do abbreviations make a sentence.
      {"что значит ALT AST GGT ALP LDL HDL CRP", "Cyrl"},
      {"ALT AST GGT LDL HDL 높은가요", "Hang"},
      {"ALT AST 높은가요 GGT LDL HDL", "Hang"},
      {"panadol 可以和 brufen", "Hani"},
      {"panadol extra 可以一起吃吗 brufen forte", "Hani"},
      {"panadol extra 먹어도 되나요 brufen forte", "Hang"},
      // Sentences that quote.
      {"explain diagnosis 高血压 please", "Latn"},
      {"quiero entender diagnostico 高血压 gracias", "Latn"},
      {"please explain diagnosis здоровье thanks", "Latn"},
      {"define 高血压", "Latn"},
      {"panadol 高血压", "Hani"},
      {"define 高血压吃什么药", "Hani"},
      {"what does the word 痛 mean in english please", "Latn"},
      {"what is the meaning of здоровье in russian", "Latn"},
      {"was bedeutet das wort 高血压 auf deutsch", "Latn"},
      {"что", "Cyrl"},
      {"", ""},
      {"123", ""},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(QuestionScript(c.prose).script, c.script) << c.prose;
  }
  EXPECT_EQ(QuestionScript("что это ct").text, "что это");
  EXPECT_EQ(QuestionScript("what is COPD").text, "what is copd");
  // The classifier's training text goes by this one.
  EXPECT_EQ(DominantScript(kCases[0].prose).script, "Latn");
}

TEST(DominantScriptTest, MarksStayWithTheirLetters) {
  EXPECT_EQ(DominantScript("सिर में दर्द").text, "सिर में दर्द");
  EXPECT_EQ(DominantScript("b\u0301a").text, "b\u0301a");
}

TEST(DominantScriptTest, CountsKana) {
  const ScriptText text = DominantScript("高血圧のコーヒー");
  EXPECT_EQ(text.text, "高血圧のコーヒー");
  EXPECT_EQ(text.kana, 3);  // The long vowel belongs to no script.
  EXPECT_EQ(DominantScript("高血压").kana, 0);
}

TEST(NativeScriptsTest, KnownLanguages) {
  EXPECT_THAT(NativeScripts("en"), ElementsAre("Latn"));
  EXPECT_THAT(NativeScripts("zh"), ElementsAre("Hani"));
  EXPECT_THAT(NativeScripts("ja"), ElementsAre("Hani"));
  EXPECT_THAT(NativeScripts("ko"), ElementsAre("Hang"));
  EXPECT_THAT(NativeScripts("sr"), UnorderedElementsAre("Cyrl", "Latn"));
  EXPECT_THAT(NativeScripts("doi"), ElementsAre("Deva"));
  EXPECT_THAT(NativeScripts("ckb"), ElementsAre("Arab"));
  EXPECT_THAT(NativeScripts("ha"), ElementsAre("Latn"));
  EXPECT_THAT(NativeScripts("no-such-language"), ElementsAre("Latn"));
}

TEST(NativeScriptsTest, WhichScriptsSettleTheLanguageInThePapersTable) {
  std::map<std::string, std::set<std::string>> by_script;
  for (const std::string& language : FamilyTable::Paper().languages()) {
    for (const std::string& script : NativeScripts(language)) {
      by_script[script].insert(language);
    }
  }
  EXPECT_EQ(by_script["Hang"], (std::set<std::string>{"ko"}));
  EXPECT_EQ(by_script["Thai"], (std::set<std::string>{"th"}));
  EXPECT_EQ(by_script["Laoo"], (std::set<std::string>{"lo"}));
  EXPECT_EQ(by_script["Hebr"], (std::set<std::string>{"he"}));
  EXPECT_EQ(by_script["Hani"], (std::set<std::string>{"ja", "zh"}));
  EXPECT_EQ(by_script["Arab"], (std::set<std::string>{"ar", "ckb"}));
  EXPECT_EQ(by_script["Cyrl"], (std::set<std::string>{"bg", "ru", "sr", "uk"}));
  EXPECT_EQ(by_script["Deva"],
            (std::set<std::string>{"doi", "hi", "mai", "ne", "sa"}));
}

}  // namespace
}  // namespace apollo

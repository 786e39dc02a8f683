#include "model/language/script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "model/language/families.h"

namespace apollo {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

// Returns the script with the most weight, or an empty one.
ScriptText First(std::string_view segment) {
  const std::vector<ScriptText> texts = SplitByScript(segment);
  return texts.empty() ? ScriptText{} : texts[0];
}

TEST(SplitByScriptTest, NamesTheScript) {
  EXPECT_EQ(First("what is it").script, "Latn");
  EXPECT_EQ(First("что это").script, "Cyrl");
  EXPECT_EQ(First("고혈압").script, "Hang");
  EXPECT_EQ(First("高血圧").script, "Hani");
  EXPECT_EQ(First("かゆみ").script, "Hani");
  EXPECT_TRUE(SplitByScript("").empty());
  EXPECT_TRUE(SplitByScript("0 / 0").empty());
}

TEST(SplitByScriptTest, TakesMixedTextApart) {
  const std::vector<ScriptText> texts =
      SplitByScript("阿司匹林 aspirin 0mg 可以一起吃吗 ct");
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_EQ(texts[0].script, "Hani");
  EXPECT_EQ(texts[0].text, "阿司匹林 可以一起吃吗");
  EXPECT_EQ(texts[0].letters, 10);
  EXPECT_EQ(texts[1].script, "Latn");
  EXPECT_EQ(texts[1].text, "aspirin 0mg ct");
  EXPECT_EQ(texts[1].letters, 11);
  EXPECT_GT(texts[0].weight, texts[1].weight);
}

TEST(SplitByScriptTest, LatinLettersWeighLess) {
  EXPECT_EQ(First("можно ли ibuprofen").script, "Cyrl");
  EXPECT_EQ(First("이 약은 augmentin").script, "Hang");
  // One foreign word does not change the script of an English question.
  EXPECT_EQ(First("what does the word 痛 mean in english please").script,
            "Latn");
}

TEST(SplitByScriptTest, SymbolsAndNumbersAreLatin) {
  EXPECT_EQ(First("print ( x ); 0").text, "print ( x ); 0");
  EXPECT_EQ(First("что ( это ) 0").text, "что это");
}

TEST(SplitByScriptTest, MarksStayWithTheirLetters) {
  EXPECT_EQ(First("सिर में दर्द").text, "सिर में दर्द");
  EXPECT_EQ(First("b\u0301a").text, "b\u0301a");
}

TEST(SplitByScriptTest, CountsKana) {
  const ScriptText text = First("高血圧のコーヒー");
  EXPECT_EQ(text.text, "高血圧のコーヒー");
  EXPECT_EQ(text.kana, 3);  // The prolonged sound mark belongs to no script.
  EXPECT_EQ(First("高血压").kana, 0);
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

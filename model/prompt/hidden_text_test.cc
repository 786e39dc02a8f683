#include "model/prompt/hidden_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace apollo {
namespace {

using testing::ElementsAre;

HiddenText Make() {
  return *HiddenText::ForTokens(std::vector<std::string>{"<\u00e9 \u4e2d>"});
}

TEST(HiddenTextTest, HidesTheCharactersOfTokens) {
  const HiddenText hidden = Make();
  const std::string text = hidden.Hide("a< \u00e9\u4e2d>b");
  EXPECT_EQ(text.find('<'), text.npos);
  EXPECT_EQ(text.find("\u00e9"), text.npos);
  EXPECT_EQ(text.find("\u4e2d"), text.npos);
  EXPECT_EQ(text.front(), 'a');
  EXPECT_NE(text.find(' '), text.npos);
  EXPECT_EQ(hidden.Hide("ab\u4e2e c"), "ab\u4e2e c");
}

TEST(HiddenTextTest, ShowsThemAndSaysWhere) {
  const HiddenText hidden = Make();
  const RenderedText shown = hidden.Show("<" + hidden.Hide("a<>") + ">\u00e9" +
                                         hidden.Hide("\u00e9b"));
  EXPECT_EQ(shown.text, "<a<>>\u00e9\u00e9b");
  EXPECT_THAT(shown.ordinary, ElementsAre(TextRange{2, 4}, TextRange{7, 9}));
}

TEST(HiddenTextTest, ATokenOfWhiteSpaceIsRefused) {
  for (const char* space : {"\n\n", " \u3000"}) {
    EXPECT_EQ(HiddenText::ForTokens(std::vector<std::string>{"<a>", space})
                  .status()
                  .code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(HiddenTextTest, ItsOwnCharactersMayOccurInText) {
  const HiddenText hidden = Make();
  // The escape, the first replacement, and one that is not in use.
  const std::string text = "\U000F0000\U000F0001<\U000F3000\U000F0000";
  EXPECT_EQ(hidden.Show(hidden.Hide(text)).text, text);
}

}  // namespace
}  // namespace apollo

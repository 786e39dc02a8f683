#include "model/prompt/jinja_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace apollo {
namespace {

using Kind = JinjaPiece::Kind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::vector<std::pair<Kind, std::string>> Cut(const std::string& source) {
  std::vector<std::pair<Kind, std::string>> pieces;
  for (const JinjaPiece& piece : CutJinja(source)) {
    pieces.emplace_back(piece.kind,
                        source.substr(piece.begin, piece.end - piece.begin));
  }
  return pieces;
}

TEST(JinjaSourceTest, CutsTagsStringsAndComments) {
  EXPECT_THAT(
      Cut("a {b}{{ c + 'd}}\\'' }}{# {{ '#}{% e \"%}\" -%}f"),
      ElementsAre(Pair(Kind::kText, "a {b}"), Pair(Kind::kCode, "{{ c + "),
                  Pair(Kind::kString, "d}}\\'"), Pair(Kind::kCode, " }}"),
                  Pair(Kind::kComment, "{# {{ '#}"), Pair(Kind::kCode, "{% e "),
                  Pair(Kind::kString, "%}"), Pair(Kind::kCode, " -%}"),
                  Pair(Kind::kText, "f")));
  EXPECT_THAT(
      Cut("{{ {'a': {}} }}b"),
      ElementsAre(Pair(Kind::kCode, "{{ {"), Pair(Kind::kString, "a"),
                  Pair(Kind::kCode, ": {}} }}"), Pair(Kind::kText, "b")));
  for (const char* unfinished : {"{{", "{{ '", "{{ '\\", "{#", "{% a", "{"}) {
    SCOPED_TRACE(unfinished);
    Cut(unfinished);
  }
}

TEST(JinjaSourceTest, KnowsTheEscapesOfMinja) {
  EXPECT_TRUE(CheckJinjaEscapes(R"(\u{{ 'a\n\\u\'' ~ "\"" }})").ok());
  for (const char* escape : {"\\u00e9", "\\x41", "\\0", "\\d", "\\a"}) {
    EXPECT_THAT(
        CheckJinjaEscapes(std::string("\n{{ '") + escape + "' }}").message(),
        HasSubstr("line 2"));
  }
}

TEST(JinjaSourceTest, RefusesOperatorsThatComputeOtherwise) {
  EXPECT_TRUE(CheckJinjaOperators("a / b ** {{ 7 // 2 * 3 ~ ' / ** ' }}").ok());
  EXPECT_TRUE(CheckJinjaOperators("{{ f(*a) }}{# 1 / 2 #}").ok());
  for (const char* code :
       {"{{ 7 / 2 }}", "{% set a = 2 ** 3 %}", "{{ a/b }}"}) {
    EXPECT_THAT(CheckJinjaOperators(std::string("\n") + code).message(),
                HasSubstr("in line 2 the operator "));
  }
}

TEST(JinjaSourceTest, ATagThatStripsWhatFollowsLeavesNoIndentation) {
  EXPECT_EQ(MendJinja("{% a -%}\n {{ b -}}\n {{ c }}{#- -#}\n {{ d }}"),
            "{% a -%}\n {{ b -}}\n {{ c }}{#--#}\n {{ d }}");
  EXPECT_EQ(MendJinja("{% a -%}\nx\n {{ b }}"),
            "{% a -%}\nx\n{{ \" \" }}{{ b }}");
}

TEST(JinjaSourceTest, KeepsIndentationBeforeExpressions) {
  EXPECT_EQ(MendJinja("  {{ a }}\n\t{{ b }} {{ c }}\n  {{- d }}\n  {% e %}"),
            "{{ \"  \" }}{{ a }}\n{{ \"\\t\" }}{{ b }} {{ c }}\n  {{- d }}\n"
            "  {% e %}");
  EXPECT_EQ(MendJinja("{% a %}  {{ b }}"), "{% a %}  {{ b }}");
}

TEST(JinjaSourceTest, EmptiesCommentsAndUnifiesLineEnds) {
  EXPECT_EQ(MendJinja("a\r\nb\rc{#- d\n' -#}e{##}{#-#}"),
            "a\nb\nc{#-\n-#}e{##}{#-#}");
}

TEST(JinjaSourceTest, MarksWhatIsWrittenNotWhatIsSearched) {
  const std::vector<std::string> tokens = {"<a>", "<a><b>", "<c>"};
  const auto mark = [&](const std::string& source) {
    return MarkJinja(source, tokens,
                     [](std::size_t i) { return "#" + std::to_string(i); });
  };
  EXPECT_EQ(mark("<a>x{{ '<a><b>y' + \"<c>\" }}{# <a> #}"),
            "#0x{{ '#1y' + \"#2\" }}{# <a> #}");
  for (const char* tested :
       {"{% if '<a>' in x %}", "{{ x.split('<a>')[0] }}", "{% if x == '<a>' %}",
        "{{ x.startswith( \"<a>\") }}", "{% if '<a>' not in x %}",
        "{% if x in '<a>' %}"}) {
    EXPECT_EQ(mark(tested), tested);
  }
}

}  // namespace
}  // namespace apollo

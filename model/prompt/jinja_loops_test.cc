#include "model/prompt/jinja_loops.h"

#include <gtest/gtest.h>

#include <minja/minja.hpp>
#include <string>

#include "model/prompt/jinja_source.h"

namespace apollo {
namespace {

struct Case {
  const char* source;
  const char* text;  // As jinja2 3.1.6 renders it.
};

std::string Render(const std::string& source) {
  const auto context = minja::Context::make(nlohmann::ordered_json::parse(
      R"({"l": [1, 2, 3], "d": {"p": 1, "q": 2}})"));
  return minja::Parser::parse(source, {.trim_blocks = true,
                                       .lstrip_blocks = true,
                                       .keep_trailing_newline = false})
      ->render(context);
}

class JinjaLoopsTest : public testing::TestWithParam<Case> {};

TEST_P(JinjaLoopsTest, RoundsHaveVariablesOfTheirOwn) {
  const std::string scoped = ScopeLoopVariables(MendJinja(GetParam().source));
  EXPECT_EQ(Render(scoped), GetParam().text) << scoped;
}

INSTANTIATE_TEST_SUITE_P(
    Templates, JinjaLoopsTest,
    testing::Values(
        Case{"{% for m in l %}{% if m == 1 %}{% set w = 'a' %}{% endif %}[{{ w "
             "}}{{ m }}]{% endfor %}",
             "[a1][2][3]"},
        Case{"{% set w = 'o' %}{% for m in l %}{{ w }}{% set w = m %}{{ w }}{% "
             "endfor %}{{ w }}",
             "o1o2o3o"},
        Case{"{% for m in l %}{% if w is defined %}d{% endif %}{% set w = m "
             "%}{% if w is defined %}D{% endif %}{% endfor %}{% if w is "
             "defined %}!{% endif %}",
             "DDD"},
        Case{"{% for m in l %}{% for n in l %}{% if n == 2 %}{% set w = m * n "
             "%}{% endif %}({{ w }}){% endfor %}[{{ w }}]{% set w = 'x' %}{% "
             "endfor %}",
             "()(2)()[]()(4)()[]()(6)()[]"},
        Case{"a\n  {%- for m in l -%}\n  {% set w = m -%}\n {{ w }},\n{% "
             "endfor %}\nb",
             "a1,\n2,\n3,\nb"},
        Case{"a\n  {% for m in l %}\n  {% set w = m %}\n {{ w }},\n  {% endfor "
             "%}\nb",
             "a\n 1,\n 2,\n 3,\nb"},
        Case{"{% for m in l if m > 1 %}{{ w }}{% set w = m %}{% else %}none{% "
             "endfor %}|{% for m in [] %}{% set w = m %}{% else %}none{% "
             "endfor %}",
             "|none"},
        Case{"{% for k, v in d.items() %}{% set v = v + 1 %}{% if k == 'p' "
             "%}{% set q = k %}{% endif %}{{ k }}{{ v }}{{ q }} {% endfor %}",
             "p2p q3 "},
        Case{"{% set ns = namespace(w='n') %}{% for m in l %}{{ ns.w }}{% set "
             "ns.w = m %}{% endfor %}{{ ns.w }}",
             "n123"},
        Case{"{% for m in l %}{% if loop.first %}{% set w %}<{{ m }}>{% endset "
             "%}{% endif %}{{ w }}{% endfor %}",
             "<1>"},
        Case{"{% macro f(x) %}{% set w = x %}{{ w }}{% endmacro %}{% for m in "
             "l %}{{ w }}{{ f(m) }}{{ w }}{% endfor %}",
             "123"},
        Case{"{% for m in l %}{{ '{% set w = 1 %}' }}{# {% set w = 2 %} #}{{ w "
             "}}{% endfor %}",
             "{% set w = 1 %}{% set w = 1 %}{% set w = 1 %}"}));

TEST(ScopeLoopVariablesTest, LeavesOtherSourcesAlone) {
  for (const char* source :
       {"", "a", "{% set a = 1 %}{{ a }}",
        "{% for m in l %}{{ m }}{% endfor %}",
        "{% for m in l %}{% set m = 1 %}{% endfor %}",
        "{% for m in l %}{% set ns.a = 1 %}{% endfor %}",
        "{% macro f() %}{% set a = 1 %}{% endmacro %}",
        // Broken; minja says so.
        "{% endfor %}", "{% for", "{% for m in l %}{% set a = 1 %}", "{% set",
        "{% set %}", "{% %}"}) {
    EXPECT_EQ(ScopeLoopVariables(source), source);
  }
}

}  // namespace
}  // namespace apollo

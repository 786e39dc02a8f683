#include "model/prompt/jinja_is.h"

#include <absl/strings/str_cat.h>

#include <cstddef>
#include <vector>

#include "common/strings.h"
#include "model/prompt/jinja_facts.h"
#include "model/prompt/jinja_words.h"

namespace apollo {

std::string MendJinjaTests(std::string_view source) {
  std::string mended;
  std::size_t done = 0;
  const auto replace = [&](std::size_t begin, std::size_t end,
                           const std::string& text) {
    absl::StrAppend(&mended, ToAbsl(source.substr(done, begin - done)), text);
    done = end;
  };
  const std::vector<JinjaTag> tags = JinjaTagsOf(source);
  const JinjaFacts facts = FactsOf(tags);
  for (const JinjaTag& tag : tags) {
    const JinjaTokens& tokens = tag.tokens;
    for (std::size_t i = 1; i + 1 < tokens.size(); ++i) {
      // "x is a is b", of which the first test is mended already.
      if (!tokens[i].Is("is") || tokens[i - 1].begin < done) continue;
      const bool negated = tokens[i + 1].Is("not");
      const std::size_t test = i + (negated ? 2 : 1);
      if (IsOneOf(tokens, test, {"true", "True", "false", "False"})) {
        replace(tokens[i].begin, tokens[test].begin, negated ? "!= " : "== ");
        continue;
      }
      const bool variable = IsName(tokens, i - 1) &&
                            OperandBegin(tokens, i) == i - 1 &&
                            !IsWord(tokens, i - 2, "|");
      const bool undefined = IsOneOf(tokens, test, {"undefined"});
      if (!variable || (!undefined && !IsNone(tokens, test) &&
                        !IsOneOf(tokens, test, {"defined"}))) {
        continue;
      }
      const std::string_view name = tokens[i - 1].text;
      // Never set to none: then it is null if its value was not defined, as an
      // attribute that is missing, or a variable before its loop.
      if (facts.set.contains(name) && !facts.none.contains(name)) {
        const char* const known = negated ? "(true)" : "(false)";
        replace(tokens[i - 1].begin, tokens[test].end,
                IsNone(tokens, test)
                    ? std::string(known)
                    : absl::StrCat(negated != undefined ? "(not " : "(",
                                   ToAbsl(name), " is defined)"));
        continue;
      }
      replace(
          tokens[i - 1].begin, tokens[test].end,
          absl::StrCat(negated != undefined ? "(not " : "(",
                       IsNone(tokens, test) ? kJinjaIsNone : kJinjaIsDefined,
                       "('", ToAbsl(tokens[i - 1].text), "'))"));
    }
  }
  absl::StrAppend(&mended, ToAbsl(source.substr(done)));
  return mended;
}

}  // namespace apollo

#include "model/prompt/jinja_is.h"

#include <absl/strings/str_cat.h>

#include <cstddef>

#include "common/strings.h"
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
  for (const JinjaTag& tag : JinjaTagsOf(source)) {
    const JinjaTokens& tokens = tag.tokens;
    for (std::size_t i = 1; i + 1 < tokens.size(); ++i) {
      if (!tokens[i].Is("is")) continue;
      const bool negated = tokens[i + 1].Is("not");
      const std::size_t test = i + (negated ? 2 : 1);
      if (IsOneOf(tokens, test, {"true", "True", "false", "False"})) {
        replace(tokens[i].begin, tokens[test].begin, negated ? "!= " : "== ");
        continue;
      }
      const bool variable =
          IsName(tokens, i - 1) && OperandBegin(tokens, i) == i - 1;
      const bool undefined = IsOneOf(tokens, test, {"undefined"});
      if (!variable || (!undefined && !IsNone(tokens, test) &&
                        !IsOneOf(tokens, test, {"defined"}))) {
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

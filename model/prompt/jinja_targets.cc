#include "model/prompt/jinja_targets.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "common/strings.h"
#include "model/prompt/jinja_words.h"

namespace apollo {
namespace {

JinjaWords TargetsOf(const JinjaTokens& tokens) {
  JinjaWords targets;
  if (!IsWord(tokens, 0, "for")) return targets;
  for (std::size_t i = 1; i < tokens.size() && !tokens[i].Is("in"); ++i) {
    if (IsName(tokens, i)) targets.insert(tokens[i].text);
  }
  return targets;
}

JinjaWords ParametersOf(const JinjaTokens& tokens) {
  JinjaWords names;
  for (std::size_t i = 2; i < tokens.size(); ++i) {
    if (IsName(tokens, i)) names.insert(tokens[i].text);
  }
  return names;
}

// Loops and macros around a tag.
class Scopes {
 public:
  bool Have(std::string_view name) const {
    return std::any_of(
        open_.begin(), open_.end(),
        [&](const JinjaWords& names) { return names.contains(name); });
  }

  // Enters or leaves what the tag begins or ends.
  void Pass(const JinjaTokens& tokens) {
    if (IsWord(tokens, 0, "for")) {
      open_.push_back(TargetsOf(tokens));
    } else if (IsWord(tokens, 0, "macro")) {
      open_.push_back(ParametersOf(tokens));
    } else if (IsOneOf(tokens, 0, {"endfor", "endmacro"}) && !open_.empty()) {
      open_.pop_back();
    }
  }

 private:
  std::vector<JinjaWords> open_;
};

absl::Status Refusal(std::string_view source, const JinjaToken& name) {
  const auto line =
      1 + std::count(source.begin(),
                     source.begin() + static_cast<std::ptrdiff_t>(name.begin),
                     '\n');
  return absl::InvalidArgumentError(absl::StrCat(
      "in line ", line, " the variable ", ToAbsl(name.text),
      " of a loop is also used outside of it, where it has its last value "
      "here; use another name"));
}

}  // namespace

absl::Status CheckJinjaTargets(std::string_view source) {
  const std::vector<JinjaTag> tags = JinjaTagsOf(source);
  JinjaWords targets;
  for (const JinjaTag& tag : tags) targets.merge(TargetsOf(tag.tokens));
  Scopes scopes;
  for (const JinjaTag& tag : tags) {
    const JinjaTokens& tokens = tag.tokens;
    for (const JinjaToken& token : tokens) {
      if (!IsWord(tokens, 0, "for") || token.Is("in")) break;
      if (targets.contains(token.text) && scopes.Have(token.text)) {
        return Refusal(source, token);
      }
    }
    scopes.Pass(tokens);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const bool variable = IsName(tokens, i) && !IsWord(tokens, i - 1, ".") &&
                            (!IsWord(tokens, i + 1, "=") || i == 1);
      if (variable && targets.contains(tokens[i].text) &&
          !scopes.Have(tokens[i].text)) {
        return Refusal(source, tokens[i]);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace apollo

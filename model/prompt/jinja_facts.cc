#include "model/prompt/jinja_facts.h"

#include <algorithm>
#include <string_view>

namespace apollo {
namespace {

const JinjaWords kLoopNumbers = {"index", "index0", "revindex", "revindex0",
                                 "length"};

// One assignment, also by a keyword argument.
struct Assignment {
  std::string_view name;
  const JinjaTokens* tokens;
  std::size_t begin, end;  // The value.
};

std::vector<Assignment> AssignmentsOf(const std::vector<JinjaTag>& tags) {
  std::vector<Assignment> all;
  for (const JinjaTag& tag : tags) {
    const JinjaTokens& tokens = tag.tokens;
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
      if (!IsName(tokens, i) || !tokens[i + 1].Is("=")) continue;
      all.push_back(
          {tokens[i].text, &tokens, i + 2, ExpressionEnd(tokens, i + 2)});
    }
  }
  return all;
}

bool MayBeNone(const Assignment& value) {
  for (std::size_t i = value.begin; i < value.end; ++i) {
    const JinjaTokens& tokens = *value.tokens;
    if (IsNone(tokens, i) && !IsOneOf(tokens, i - 1, {"is", "not", "==", "!="}))
      return true;
    // get() of a key that is missing; with a default there is a comma.
    if (tokens[i].Is("get") && IsWord(tokens, i + 1, "(") &&
        ExpressionEnd(tokens, i + 2) == Closing(tokens, i + 1)) {
      return true;
    }
  }
  return false;
}

bool IsList(const JinjaTokens& tokens, std::size_t begin, std::size_t end,
            const JinjaWords& lists) {
  if (begin >= end) return false;
  if (tokens[begin].Is("[")) return Closing(tokens, begin) + 1 == end;
  if (!lists.contains(tokens[begin].text)) return false;
  if (begin + 1 == end) return true;
  const std::size_t close = Closing(tokens, begin + 1);
  if (!tokens[begin + 1].Is("[") || close + 1 != end) return false;
  for (std::size_t i = begin; i < close; ++i) {
    if (tokens[i].Is(":")) return true;  // A slice.
  }
  return false;
}

// Also "a if b else c" of lists.
bool IsListValue(const Assignment& value, const JinjaWords& lists) {
  const JinjaTokens& tokens = *value.tokens;
  std::size_t asks = value.end, otherwise = value.end;
  int depth = 0;
  for (std::size_t i = value.begin; i < value.end; ++i) {
    depth += Bracket(tokens[i]);
    if (depth == 0 && tokens[i].Is("if")) asks = std::min(asks, i);
    if (depth == 0 && tokens[i].Is("else")) otherwise = i;
  }
  if (!IsList(tokens, value.begin, asks, lists)) return false;
  return asks == value.end || IsList(tokens, otherwise + 1, value.end, lists);
}

bool IsJson(const Assignment& value, const JinjaWords&) {
  return value.end >= value.begin + 3 &&
         (*value.tokens)[value.end - 1].Is("tojson");
}

// Removes from `names` those that an assignment contradicts, until none is.
template <typename Holds>
JinjaWords Fixpoint(JinjaWords names,
                    const std::vector<Assignment>& assignments, Holds holds) {
  for (bool changed = true; changed;) {
    changed = false;
    for (const Assignment& value : assignments) {
      if (names.contains(value.name) && !holds(value, names)) {
        names.erase(value.name);
        changed = true;
      }
    }
  }
  return names;
}

// Returns the variables of loops.
JinjaWords Targets(const std::vector<JinjaTag>& tags) {
  JinjaWords targets;
  for (const JinjaTag& tag : tags) {
    if (tag.tokens.empty() || !tag.tokens[0].Is("for")) continue;
    for (const JinjaToken& token : tag.tokens) {
      if (token.Is("in")) break;
      targets.insert(token.text);
    }
  }
  return targets;
}

}  // namespace

bool IsCount(const JinjaTokens& tokens, std::size_t begin, std::size_t end,
             const JinjaWords& counters) {
  if (begin >= end) return false;
  for (std::size_t i = begin; i < end; ++i) {
    const JinjaToken& token = tokens[i];
    if (token.kind == JinjaToken::Kind::kNumber ||
        IsOneOf(tokens, i, {"+", "*", "(", ")"})) {
      continue;
    }
    const bool counted =
        i >= 1 && tokens[i - 1].Is("|") && IsOneOf(tokens, i, {"length"});
    if (counted || token.Is("|")) continue;
    if (token.kind != JinjaToken::Kind::kName) return false;
    if (IsWord(tokens, i + 1, ".") && i + 2 < end &&
        ((token.Is("loop") && IsOneOf(tokens, i + 2, kLoopNumbers)) ||
         counters.contains(tokens[i + 2].text))) {
      i += 2;
      continue;
    }
    // A list, of which the length is taken.
    if (IsWord(tokens, i + 1, "|") && IsWord(tokens, i + 2, "length")) continue;
    if (!counters.contains(token.text)) return false;
  }
  return true;
}

JinjaFacts FactsOf(const std::vector<JinjaTag>& tags) {
  const std::vector<Assignment> assignments = AssignmentsOf(tags);
  const JinjaWords targets = Targets(tags);
  JinjaFacts facts;
  JinjaWords assigned;
  for (const Assignment& value : assignments) {
    facts.set.insert(value.name);
    if (MayBeNone(value)) facts.none.insert(value.name);
    if (!targets.contains(value.name)) assigned.insert(value.name);
  }
  facts.counters = Fixpoint(
      assigned, assignments, [](const Assignment& value, const auto& names) {
        return IsCount(*value.tokens, value.begin, value.end, names);
      });
  assigned.insert("messages");
  facts.lists = Fixpoint(assigned, assignments, IsListValue);
  assigned.erase("messages");
  facts.json = Fixpoint(assigned, assignments, IsJson);
  return facts;
}

}  // namespace apollo

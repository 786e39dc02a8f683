#include "model/prompt/jinja_differences.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "common/strings.h"
#include "model/prompt/jinja_facts.h"
#include "model/prompt/jinja_words.h"

namespace apollo {
namespace {

using Kind = JinjaToken::Kind;

const JinjaWords kComparisons = {"==", "!=", "<", ">", "<=", ">=", "in"};

// A token of a tag, to be judged.
struct Place {
  const JinjaTag& tag;
  std::size_t i;
  const JinjaFacts& facts;

  const JinjaTokens& tokens() const { return tag.tokens; }
  const JinjaToken& token() const { return tag.tokens[i]; }
  bool Before(std::string_view word) const {
    return i > 0 && IsWord(tokens(), i - 1, word);
  }
  bool Behind(std::string_view word) const {
    return IsWord(tokens(), i + 1, word);
  }
};

// The rules return what is wrong with a token, and a remedy; or "".

std::string JudgeNumbers(const Place& at) {
  const JinjaToken& token = at.token();
  if (token.kind == Kind::kNumber &&
      (token.text.find('.') != token.text.npos ||
       token.text.find_first_of("eE") != token.text.npos)) {
    return absl::StrCat("the number ", ToAbsl(token.text),
                        " is used, but only whole numbers are written as in "
                        "Jinja");
  }
  if (!token.Is("%") && !token.Is("//")) return "";
  const std::size_t begin = OperandBegin(at.tokens(), at.i);
  const bool positive = at.i + 1 < at.tokens().size() &&
                        at.tokens()[at.i + 1].kind == Kind::kNumber;
  const bool chained =
      begin > 0 && IsOneOf(at.tokens(), begin - 1, {"-", "*", "//", "%"});
  // The length of a list: x | length % 2.
  std::size_t first = begin;
  if (begin > 0 && at.tokens()[begin - 1].Is("|")) {
    first = OperandBegin(at.tokens(), begin - 1);
  }
  if (positive && !chained &&
      IsCount(at.tokens(), first, at.i, at.facts.counters)) {
    return "";
  }
  return absl::StrCat("the operator ", ToAbsl(token.text),
                      " is used with numbers that may be negative, for which "
                      "it gives other results than in Jinja; it may be used "
                      "with loop.index0 and with counters that only grow");
}

// Returns true if the operand that ends before `end` is true, false or an
// error.
bool IsTruth(const JinjaTokens& tokens, std::size_t begin, std::size_t end) {
  static const JinjaWords kTruths = {"true",
                                     "True",
                                     "false",
                                     "False",
                                     "first",
                                     "last",
                                     "add_generation_prompt"};
  static const JinjaWords kAsks = {"startswith", "endswith"};
  if (begin < end && tokens[begin].Is("not")) return true;
  int depth = 0;
  for (std::size_t i = begin; i < end; ++i) {
    if (depth == 0 && (IsOneOf(tokens, i, kComparisons) || tokens[i].Is("is")))
      return true;
    depth += Bracket(tokens[i]);
    if (IsOneOf(tokens, i, kAsks) && Closing(tokens, i + 1) + 1 == end)
      return true;
  }
  if (begin < end && tokens[begin].Is("(") && Closing(tokens, begin) + 1 == end)
    return IsTruth(tokens, begin + 1, end - 1);
  return end > begin && IsOneOf(tokens, end - 1, kTruths);
}

// Returns true if only the truth of the expression around a token counts: in
// an if, or before the else of one.
bool OnlyAsked(const Place& at) {
  const JinjaTokens& tokens = at.tokens();
  int depth = 0;
  for (std::size_t i = at.i; i-- > 0;) {
    depth -= Bracket(tokens[i]);
    if (depth < 0) {
      if (!tokens[i].Is("(") || IsName(tokens, i - 1)) return false;
      // Parentheses: what is around them counts.
      return OnlyAsked({at.tag, i, at.facts}) || IsWord(tokens, i - 1, "not");
    }
    if (depth == 0 && IsOneOf(tokens, i, {"if", "elif"})) return true;
    if (depth == 0 && IsOneOf(tokens, i, {",", "=", "else"})) return false;
  }
  return false;
}

std::string JudgeAnd(const Place& at) {
  if (!at.token().Is("and") || OnlyAsked(at)) return "";
  // The value of "a and b" is a or b in Jinja, and true or false here.
  static const JinjaWords kEnds = {"and", "or", "if", "else", "=", ",", ":"};
  const auto side = [&](bool left) {
    int depth = 0;
    std::size_t i = at.i;
    for (;;) {
      const std::size_t next = left ? i - 1 : i + 1;
      if (next >= at.tokens().size()) return left ? std::size_t{0} : i + 1;
      depth += (left ? -1 : 1) * Bracket(at.tokens()[next]);
      if (depth < 0 || (depth == 0 && IsOneOf(at.tokens(), next, kEnds))) {
        return left ? i : next;
      }
      i = next;
    }
  };
  if (IsTruth(at.tokens(), side(true), at.i) &&
      IsTruth(at.tokens(), at.i + 1, side(false))) {
    return "";
  }
  return "the value of \"and\" is used, which is only true or false here; "
         "write \"b if a else a\"";
}

std::string JudgeNone(const Place& at) {
  const JinjaTokens& tokens = at.tokens();
  const std::size_t i = at.i;
  constexpr char kRemedy[] =
      "; compare with \"is none\" first, or use another value";
  if (at.token().Is("null") && !at.Before(".")) {
    return "the name null is used, which is none here; write none";
  }
  if ((at.token().Is("==") || at.token().Is("!=")) && i > 0 &&
      (IsNone(tokens, i - 1) || IsNone(tokens, i + 1))) {
    return "none is compared with == or !=, which takes what is missing for "
           "none here; write \"is none\"";
  }
  if (IsNone(tokens, i) && at.tag.prints &&
      !IsOneOf(tokens, i - 1, {"is", "not", "==", "!=", "="})) {
    return absl::StrCat("none is written, which is nothing here", kRemedy);
  }
  if (at.tag.prints && at.Before(".") && at.Behind("(") &&
      IsOneOf(tokens, i, {"append", "insert"}) &&
      OperandBegin(tokens,
                   std::min(Closing(tokens, i + 1) + 1, tokens.size())) == 0 &&
      !OnlyAsked(at)) {
    return absl::StrCat("the result of ", ToAbsl(at.token().text),
                        "() is written, which is nothing here; use {% set %}");
  }
  if (at.tag.prints && at.token().Is("get") && at.Before(".") &&
      at.Behind("(") && !OnlyAsked(at) &&
      ExpressionEnd(tokens, i + 2) == Closing(tokens, i + 1)) {
    return "the result of get() is written, which is nothing here if it is "
           "none; give it a default";
  }
  if (!IsName(tokens, i) || !at.facts.none.contains(at.token().text)) return "";
  const bool printed = at.tag.prints && i + 1 == tokens.size() &&
                       OperandBegin(tokens, i + 1) == 0;
  const bool defaulted = at.Behind("|") &&
                         IsOneOf(tokens, i + 2, {"default", "d"}) &&
                         ExpressionEnd(tokens, i + 4) == Closing(tokens, i + 3);
  const bool defined = at.Before(".") && at.Behind("is") &&
                       (IsOneOf(tokens, i + 2, {"defined", "undefined"}) ||
                        IsOneOf(tokens, i + 3, {"defined", "undefined"}));
  if (!printed && !defaulted && !defined) return "";
  return absl::StrCat(ToAbsl(at.token().text),
                      " may be none, which is nothing and not defined here",
                      kRemedy);
}

// Tests of attributes: minja takes one that is missing for none.
std::string JudgeNoneAttribute(const Place& at) {
  const JinjaTokens& tokens = at.tokens();
  const bool negated = at.Behind("not");
  if (at.i == 0 || !at.token().Is("is") ||
      !IsNone(tokens, at.i + (negated ? 2 : 1))) {
    return "";
  }
  const std::size_t begin = OperandBegin(tokens, at.i);
  const JinjaToken& last = tokens[at.i - 1];
  if (begin + 1 == at.i && last.kind == Kind::kName) return "";  // Mended.
  std::string_view attribute = last.text;
  if (last.Is("]") && at.i > 1 && tokens[at.i - 2].kind == Kind::kString) {
    attribute = tokens[at.i - 2].text;
  }
  if (attribute == "content" || attribute == "role" ||
      at.facts.none.contains(attribute)) {
    return "";
  }
  // "x.y is defined and x.y is not none"
  const std::size_t size = at.i - begin;
  if (begin >= size + 3 && tokens[begin - 1].Is("and") &&
      tokens[begin - 2].Is("defined") && tokens[begin - 3].Is("is")) {
    bool same = true;
    for (std::size_t k = 0; k < size; ++k) {
      same =
          same && tokens[begin + k].text == tokens[begin - 3 - size + k].text;
    }
    if (same) return "";
  }
  return absl::StrCat("\"is none\" asks for ", ToAbsl(attribute),
                      ", and is also true here if it is missing; ask \"is "
                      "defined\" before");
}

// Texts are bytes in minja.
std::string JudgeTexts(const Place& at) {
  const JinjaTokens& tokens = at.tokens();
  const std::size_t i = at.i;
  const bool method = at.Before(".") && at.Behind("(");
  const bool filter =
      at.Before("|") || (i == 1 && tokens[0].Is("filter")) ||
      // map('upper')
      (i >= 2 && at.Before("(") && IsWord(tokens, i - 2, "map"));
  static const JinjaWords kCases = {"upper", "lower", "title", "capitalize"};
  if ((method || filter) && kCases.contains(tokens[i].text)) {
    const JinjaToken* base = i >= 2 ? &tokens[i - 2] : nullptr;
    if (i >= 3 && base->Is("]")) base = &tokens[i - 3];
    if (base != nullptr && base->text == "role") return "";
    return absl::StrCat(ToAbsl(tokens[i].text),
                        "() is used, which changes only the letters of ASCII "
                        "here; it may be used for roles");
  }
  if (method && IsOneOf(tokens, i, {"strip", "lstrip", "rstrip", "replace"}) &&
      !IsWord(tokens, i + 2, ")")) {
    const JinjaToken& given = tokens[std::min(i + 2, tokens.size() - 1)];
    const bool ascii =
        std::all_of(given.text.begin(), given.text.end(),
                    [](char c) { return absl::ascii_isascii(c); });
    const bool strips = !tokens[i].Is("replace");
    const bool plain = given.kind == Kind::kString && !given.text.empty() &&
                       (ascii || !strips);
    // A variable of the template may hold anything.
    if (plain || (!strips && given.kind == Kind::kName)) return "";
    return absl::StrCat(ToAbsl(tokens[i].text),
                        "() is used with another argument than a string of "
                        "ASCII characters, which minja reads as bytes");
  }
  return "";
}

std::string JudgeSubscripts(const Place& at) {
  const JinjaTokens& tokens = at.tokens();
  if (!at.token().Is("[") || at.i == 0) return "";
  const bool follows = IsName(tokens, at.i - 1) ||
                       Bracket(tokens[at.i - 1]) < 0 ||
                       tokens[at.i - 1].kind == Kind::kString;
  if (!follows) return "";
  const std::size_t close = Closing(tokens, at.i);
  bool slice = false;
  int depth = 0;
  for (std::size_t i = at.i + 1; i < close; ++i) {
    slice = slice || (depth == 0 && tokens[i].Is(":"));
    depth += Bracket(tokens[i]);
  }
  const bool number =
      (close == at.i + 2 && tokens[at.i + 1].kind == Kind::kNumber) ||
      (close == at.i + 3 && tokens[at.i + 1].Is("-"));
  if (!slice && !number) return "";
  const JinjaToken& base = tokens[at.i - 1];
  const std::size_t begin = OperandBegin(tokens, at.i);
  if (begin + 1 == at.i && at.facts.lists.contains(base.text)) return "";
  // JSON begins and ends with ASCII.
  if (begin + 1 == at.i && at.facts.json.contains(base.text) && slice &&
      std::all_of(tokens.begin() + static_cast<std::ptrdiff_t>(at.i),
                  tokens.begin() + static_cast<std::ptrdiff_t>(close),
                  [](const JinjaToken& token) {
                    return token.kind == Kind::kSymbol || token.text == "1";
                  })) {
    return "";
  }
  if (base.Is("]") && begin + 1 < at.i &&
      at.facts.lists.contains(tokens[begin].text)) {
    // messages[1:][0]
    const std::size_t first = Closing(tokens, begin + 1);
    if (first + 1 == at.i) return "";
  }
  for (std::size_t i = begin; i < at.i; ++i) {
    if (tokens[i].Is("split") && Closing(tokens, i + 1) + 1 == at.i) return "";
  }
  // Of a message, only role and content are texts.
  if (at.i >= 2 && tokens[at.i - 2].Is(".") && base.text != "content" &&
      base.text != "role" && !at.facts.set.contains(base.text)) {
    return "";
  }
  // An element of which an attribute is taken: minja fails if it is none.
  if (number &&
      (IsWord(tokens, close + 1, ".") || IsWord(tokens, close + 1, "[")))
    return "";
  if (number && base.kind == Kind::kName && !at.Before("content") &&
      !at.tag.prints) {
    return "";
  }
  return absl::StrCat(slice ? "a slice" : "an element",
                      " is taken of what may be a text, whose bytes and not "
                      "characters count here; messages and the result of "
                      "split() may be cut");
}

// minja gives some operators another precedence.
std::string JudgePrecedence(const Place& at) {
  static const JinjaWords kArithmetic = {"*", "//", "%"};
  const JinjaTokens& tokens = at.tokens();
  const std::size_t i = at.i;
  constexpr char kRemedy[] =
      " are used together, and bind otherwise here than "
      "in Jinja; write parentheses";
  if (at.token().Is("|")) {
    const std::size_t begin = OperandBegin(tokens, i);
    if (begin > 0 && IsOneOf(tokens, begin - 1, kArithmetic)) {
      return absl::StrCat(ToAbsl(tokens[begin - 1].text), " and |", kRemedy);
    }
  }
  if (at.token().Is("is") && i > 0) {
    const std::size_t begin = OperandBegin(tokens, i);
    if (begin > 0 && (IsOneOf(tokens, begin - 1, kArithmetic) ||
                      IsOneOf(tokens, begin - 1, kComparisons) ||
                      IsOneOf(tokens, begin - 1, {"+", "-", "~"}))) {
      return absl::StrCat(ToAbsl(tokens[begin - 1].text), " and \"is\"",
                          kRemedy);
    }
  }
  if (!at.token().Is("~") && !IsOneOf(tokens, i, kComparisons)) return "";
  if (tokens[0].Is("for") && at.token().Is("in")) return "";
  int depth = 0;
  for (std::size_t next = i + 1; next < tokens.size(); ++next) {
    if (depth == 0 && IsOneOf(tokens, next, {"or", "if", "else", ",", ":"}))
      return "";
    const bool ends = depth == 0 && tokens[next].Is("and");
    if (ends && !at.token().Is("~")) return "";
    if (depth == 0 && (ends || IsOneOf(tokens, next, kComparisons) ||
                       (at.token().Is("~") && tokens[next].Is("is")))) {
      return absl::StrCat(ToAbsl(at.token().text), " and ",
                          ToAbsl(tokens[next].text), kRemedy);
    }
    depth += Bracket(tokens[next]);
    if (depth < 0) return "";
  }
  return "";
}

// Filters, tests and attributes with another meaning in minja.
std::string JudgeWords(const Place& at) {
  static const JinjaWords kFilters = {"int",    "float", "round",
                                      "indent", "e",     "escape"};
  static const JinjaWords kLoop = {
      "index", "index0", "revindex", "revindex0", "first",
      "last",  "length", "cycle",    "previtem",  "nextitem"};
  const JinjaTokens& tokens = at.tokens();
  const std::string word(at.token().text);
  if (at.token().Is("in") && !tokens[0].Is("for") &&
      (at.Behind("[") || at.Behind("("))) {
    const std::size_t close = Closing(tokens, at.i + 1);
    for (std::size_t i = at.i + 2; i < close; ++i) {
      const JinjaToken& item = tokens[i];
      if ((item.kind == Kind::kString && item.text.empty()) ||
          IsNone(tokens, i) || IsOneOf(tokens, i, {"0", "false", "False"})) {
        return "\"in\" looks in a list with \"\", 0, false or none, which is "
               "never found here; compare with it";
      }
    }
  }
  const bool names_filter =
      at.Before("|") || (at.i == 1 && tokens[0].Is("filter")) ||
      (at.i >= 2 && at.Before("(") && IsWord(tokens, at.i - 2, "map"));
  if (names_filter && kFilters.contains(at.token().text)) {
    return absl::StrCat("the filter ", word,
                        " is used, which works otherwise here than in Jinja");
  }
  if ((at.Before("is") ||
       (at.Before("not") && at.i > 1 && tokens[at.i - 2].Is("is"))) &&
      at.token().Is("sequence")) {
    return "the test \"is sequence\" is used, which is false for texts here; "
           "write \"is string\" or \"is iterable\"";
  }
  if (at.Before(".") && at.i > 1 && tokens[at.i - 2].Is("loop") &&
      !kLoop.contains(at.token().text)) {
    return absl::StrCat("loop.", word, " is used, which is nothing here");
  }
  if (at.Before("|") && at.Behind("(") &&
      IsOneOf(tokens, at.i, {"selectattr", "rejectattr"}) &&
      ExpressionEnd(tokens, at.i + 2) == Closing(tokens, at.i + 1)) {
    return absl::StrCat("the filter ", word,
                        " is used without a test, which works otherwise here; "
                        "add 'defined' or 'equalto'");
  }
  return "";
}

std::string Judge(const Place& at) {
  for (auto* rule :
       {JudgeNumbers, JudgeAnd, JudgeNone, JudgeNoneAttribute, JudgeTexts,
        JudgeSubscripts, JudgePrecedence, JudgeWords}) {
    std::string found = rule(at);
    if (!found.empty()) return found;
  }
  return "";
}

}  // namespace

absl::Status CheckJinjaDifferences(std::string_view source) {
  const std::vector<JinjaTag> tags = JinjaTagsOf(source);
  const JinjaFacts facts = FactsOf(tags);
  for (const JinjaTag& tag : tags) {
    for (std::size_t i = 0; i < tag.tokens.size(); ++i) {
      const std::string found = Judge({tag, i, facts});
      if (found.empty()) continue;
      const auto line =
          1 + std::count(source.begin(),
                         source.begin() +
                             static_cast<std::ptrdiff_t>(tag.tokens[i].begin),
                         '\n');
      return absl::InvalidArgumentError(
          absl::StrCat("in line ", line, " ", found));
    }
  }
  return absl::OkStatus();
}

}  // namespace apollo

#include "model/prompt/jinja_words.h"

namespace apollo {

bool IsWord(const JinjaTokens& tokens, std::size_t i, std::string_view word) {
  return i < tokens.size() && tokens[i].Is(word);
}

bool IsOneOf(const JinjaTokens& tokens, std::size_t i,
             const JinjaWords& words) {
  return i < tokens.size() && tokens[i].kind != JinjaToken::Kind::kString &&
         words.contains(tokens[i].text);
}

bool IsName(const JinjaTokens& tokens, std::size_t i) {
  static const JinjaWords kNoNames = {"and", "or", "not", "in",
                                      "is",  "if", "else"};
  return i < tokens.size() && tokens[i].kind == JinjaToken::Kind::kName &&
         !kNoNames.contains(tokens[i].text);
}

bool IsNone(const JinjaTokens& tokens, std::size_t i) {
  return IsOneOf(tokens, i, {"none", "None"});
}

int Bracket(const JinjaToken& token) {
  if (token.Is("(") || token.Is("[") || token.Is("{")) return 1;
  return token.Is(")") || token.Is("]") || token.Is("}") ? -1 : 0;
}

std::size_t Closing(const JinjaTokens& tokens, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < tokens.size(); ++i) {
    depth += Bracket(tokens[i]);
    if (depth == 0) return i;
  }
  return tokens.size();
}

std::size_t OperandBegin(const JinjaTokens& tokens, std::size_t end) {
  std::size_t i = end;
  while (i > 0) {
    --i;
    if (Bracket(tokens[i]) < 0) {
      int depth = -1;
      while (i > 0 && depth < 0) depth += Bracket(tokens[--i]);
      const bool follows =
          i > 0 && (IsName(tokens, i - 1) || Bracket(tokens[i - 1]) < 0);
      if (follows) continue;
      return i;
    }
    if (i > 0 && tokens[i - 1].Is(".")) {
      --i;
      continue;
    }
    return i;
  }
  return 0;
}

std::size_t ExpressionEnd(const JinjaTokens& tokens, std::size_t begin) {
  int depth = 0;
  for (std::size_t i = begin; i < tokens.size(); ++i) {
    depth += Bracket(tokens[i]);
    if (depth < 0 || (depth == 0 && tokens[i].Is(","))) return i;
  }
  return tokens.size();
}

bool IsVariable(const JinjaTokens& tokens, std::size_t end) {
  return IsName(tokens, end - 1) && OperandBegin(tokens, end) == end - 1;
}

}  // namespace apollo

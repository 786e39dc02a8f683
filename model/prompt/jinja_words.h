#pragma once

#include <cstddef>
#include <set>
#include <string_view>
#include <vector>

#include "model/prompt/jinja_tokens.h"

// Questions about the tokens of a tag. A place behind the last one, or before
// the first (-1), has no token.
namespace apollo {

using JinjaTokens = std::vector<JinjaToken>;
using JinjaWords = std::set<std::string_view>;

bool IsWord(const JinjaTokens& tokens, std::size_t i, std::string_view word);
bool IsOneOf(const JinjaTokens& tokens, std::size_t i, const JinjaWords& words);
// A name that is no operator.
bool IsName(const JinjaTokens& tokens, std::size_t i);
bool IsNone(const JinjaTokens& tokens, std::size_t i);

// Returns 1 for an opening bracket, -1 for a closing one, else 0.
int Bracket(const JinjaToken& token);

// Returns the place of the bracket that closes the one at `open`, or the number
// of tokens.
std::size_t Closing(const JinjaTokens& tokens, std::size_t open);

// Returns the first token of the operand that ends before `end`: a name or a
// value with what follows it, such as x.y[0].f(1).
std::size_t OperandBegin(const JinjaTokens& tokens, std::size_t end);

// Returns the place behind the expression that starts at `begin`: that of a
// closing bracket or a comma, or the number of tokens.
std::size_t ExpressionEnd(const JinjaTokens& tokens, std::size_t begin);

// Returns true if the operand that ends before `end` is the name of a variable.
bool IsVariable(const JinjaTokens& tokens, std::size_t end);

}  // namespace apollo

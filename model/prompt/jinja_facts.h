#pragma once

#include <cstddef>
#include <vector>

#include "model/prompt/jinja_tokens.h"
#include "model/prompt/jinja_words.h"

namespace apollo {

// What a source says of its names, wherever they are: a name that two places
// use has the properties of both.
struct JinjaFacts {
  // Variables and attributes that some place sets, and those of them that may
  // be none.
  JinjaWords set, none;
  // Variables and attributes that hold numbers, none of them negative.
  JinjaWords counters;
  // Variables that only hold lists, and those that only hold JSON.
  JinjaWords lists, json;
};

JinjaFacts FactsOf(const std::vector<JinjaTag>& tags);

// Returns true if the tokens from `begin` to `end` compute a number that is not
// negative, from literals, loop.index and the like, lengths and `counters`.
bool IsCount(const JinjaTokens& tokens, std::size_t begin, std::size_t end,
             const JinjaWords& counters);

}  // namespace apollo

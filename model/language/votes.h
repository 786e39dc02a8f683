#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/language/detector.h"

namespace apollo {

// What a part of a text says about its language.
struct Vote {
  double weight = 0;   // Its length, in letters of some sort.
  double neutral = 0;  // The probability that it is in no language.
  // The probabilities of languages, by their numbers. What is missing to 1
  // beside `neutral` is in other languages.
  std::vector<std::pair<int, double>> shares;
};

// Adds up votes by their weights. Those that are clearly neutral do not count
// if the others are sure of a language: code beside a question says nothing
// about it, while a comment within code says little. `languages` are the names
// of all numbers. No votes give no candidates.
Detection CountVotes(const std::vector<Vote>& votes,
                     const std::vector<std::string>& languages);

}  // namespace apollo

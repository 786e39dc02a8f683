#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/language/detector.h"

namespace apollo {

// The evidence of a part of a text about its language.
struct Vote {
  double weight = 0;   // Length in weighted letters.
  double neutral = 0;  // Probability of no language.
  // Probabilities of languages, by index. The remainder to 1, after `neutral`,
  // belongs to other languages.
  std::vector<std::pair<int, double>> shares;
};

// Averages votes by weight. Clearly neutral votes do not count if the others
// are confident of a language: code next to a question is no evidence against
// it, but a comment within code is weak evidence. `languages` holds the names
// of all indices. Without votes there are no candidates.
Detection CountVotes(const std::vector<Vote>& votes,
                     const std::vector<std::string>& languages);

}  // namespace apollo

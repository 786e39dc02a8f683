#pragma once

#include <optional>

#include "model/language/detector.h"
#include "model/language/families.h"

namespace apollo {

struct FamilyGuess {
  int expert;
  double confidence;  // Probability that the language belongs to the family.
};

// Returns the most probable family, or nullopt if no candidate is in the table.
// Adds up the candidates of each family, so uncertainty between Danish and
// Norwegian does not reduce the confidence in their family.
std::optional<FamilyGuess> GuessFamily(const Detection& detection,
                                       const FamilyTable& families);

}  // namespace apollo

#pragma once

#include <optional>

#include "model/language/detector.h"
#include "model/language/families.h"

namespace apollo {

struct FamilyGuess {
  int expert;
  double
      confidence;  // The probability that the language is one of the family's.
};

// The most probable family: candidates of one family add up, so that a doubt
// between Danish and Norwegian is no doubt about the family. Nothing if no
// candidate is in the table.
std::optional<FamilyGuess> GuessFamily(const Detection& detection,
                                       const FamilyTable& families);

}  // namespace apollo

#include "model/language/family_guess.h"

#include <vector>

namespace apollo {

std::optional<FamilyGuess> GuessFamily(const Detection& detection,
                                       const FamilyTable& families) {
  std::vector<double> sums(families.families().size(), 0.0);
  std::optional<FamilyGuess> best;
  for (const LanguageGuess& guess : detection.candidates) {
    const std::optional<int> expert = families.ExpertOf(guess.language);
    if (!expert) continue;
    sums[*expert] += guess.confidence;
  }
  for (const LanguageGuess& guess : detection.candidates) {
    const std::optional<int> expert = families.ExpertOf(guess.language);
    // In the order of the candidates, so that a tie goes to the more probable
    // language.
    if (expert && (!best || sums[*expert] > best->confidence)) {
      best = FamilyGuess{*expert, sums[*expert]};
    }
  }
  if (best && best->confidence > 1.0) best->confidence = 1.0;  // Rounding.
  return best;
}

}  // namespace apollo

#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace apollo {

// Additional facts about a fastText model; see docs/languages.md. Lines:
//
//     label <label of the model> <language code, or - for none>
//     temperature <letters> <T>
//
// A temperature applies to texts of at least that many letters, up to the next
// threshold. It replaces the classifier's probabilities p by p^(1/T),
// normalised: T above 1 lowers the confidences.
struct FastTextSettings {
  // By label; empty: no language.
  std::map<std::string, std::string> languages;
  std::map<int, double> temperatures;  // By minimum number of letters.

  // Returns the temperature for a text; 1 if none is set for its length.
  double TemperatureFor(int letters) const;

  // Returns INVALID_ARGUMENT naming `source` and the line.
  static absl::StatusOr<FastTextSettings> Parse(std::string_view text,
                                                std::string_view source);
};

}  // namespace apollo

#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace apollo {

// What a fastText model does not say about itself; see docs/languages.md.
// Lines:
//
//     label <the model's label> <language code, or - for none>
//     temperature <letters> <T>
//
// A temperature holds for texts of at least that many letters, up to the next
// one. The classifier's probabilities p become p^(1/T), normalised: T above 1
// makes it more modest.
struct FastTextSettings {
  std::map<std::string, std::string> languages;  // By label; empty value: none.
  std::map<int, double> temperatures;  // By the least number of letters.

  // 1 if none is set for so short a text.
  double TemperatureFor(int letters) const;

  // INVALID_ARGUMENT naming `source` and the line.
  static absl::StatusOr<FastTextSettings> Parse(std::string_view text,
                                                std::string_view source);
};

}  // namespace apollo

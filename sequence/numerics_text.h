#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sequence/generation.h"

namespace apollo {

// Return the numerics as one word for clients, "DENSE+EXPERT", and the numerics
// with that word; nullopt if the text is no such word.
inline std::string NumericsText(const SequenceNumerics& numerics) {
  return numerics.dense + "+" + numerics.expert;
}
inline std::optional<SequenceNumerics> ReadNumerics(std::string_view text) {
  constexpr std::size_t kMostBytes = 256;
  const std::size_t plus = text.find('+');
  if (plus == std::string_view::npos || text.size() > kMostBytes) {
    return std::nullopt;
  }
  return SequenceNumerics{std::string(text.substr(0, plus)),
                          std::string(text.substr(plus + 1))};
}

}  // namespace apollo

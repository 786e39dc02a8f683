#pragma once

#include <absl/strings/string_view.h>

#include <string_view>

namespace apollo {

// Conversions for the system's Abseil, whose StrCat and StrSplit take Abseil's
// own string_view. The interfaces of this project use the standard one.
inline absl::string_view ToAbsl(std::string_view s) {
  return {s.data(), s.size()};
}
inline std::string_view ToStd(absl::string_view s) {
  return {s.data(), s.size()};
}

}  // namespace apollo

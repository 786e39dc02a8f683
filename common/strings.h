#pragma once

#include <absl/strings/string_view.h>

#include <string_view>

namespace apollo {

// The system's Abseil is built with a string_view of its own, which StrCat and
// StrSplit take; this project's interfaces use the standard one. Same bytes.
inline absl::string_view ToAbsl(std::string_view s) {
  return {s.data(), s.size()};
}
inline std::string_view ToStd(absl::string_view s) {
  return {s.data(), s.size()};
}

}  // namespace apollo

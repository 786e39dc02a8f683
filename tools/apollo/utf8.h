#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace apollo::client {

constexpr std::size_t kAllValid = static_cast<std::size_t>(-1);

// Offset of the first byte that is not part of valid UTF-8, or kAllValid.
std::size_t FirstInvalidUtf8(std::string_view text);

// The text with control characters (except line feed and tab) replaced by
// U+FFFD, so that what a model writes cannot steer a terminal. `text` must be
// UTF-8.
std::string ForTerminal(std::string_view text);

}  // namespace apollo::client

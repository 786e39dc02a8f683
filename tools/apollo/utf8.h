#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace apollo::client {

constexpr std::size_t kAllValid = static_cast<std::size_t>(-1);

// Returns the offset of the first byte that is not valid UTF-8, or kAllValid.
std::size_t FirstInvalidUtf8(std::string_view text);

// Replaces control characters (except line feed and tab) by U+FFFD, so that
// model output cannot control the terminal. `text` must be UTF-8.
std::string ForTerminal(std::string_view text);

}  // namespace apollo::client

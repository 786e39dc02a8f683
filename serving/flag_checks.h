#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <string_view>

// Checks of flag values, for every program. Each returns OK, or
// INVALID_ARGUMENT naming the flag, its value and the valid range.
namespace apollo {

absl::Status CheckAtLeastOne(std::string_view flag, std::int64_t value);
absl::Status CheckFromTo(std::string_view flag, std::int64_t value,
                         std::int64_t least, std::int64_t most);
absl::Status CheckAboveZero(std::string_view flag, absl::Duration value);
absl::Status CheckNotNegative(std::string_view flag, absl::Duration value);
// Checks only the form: host:port with a port from 0 to 65535.
absl::Status CheckListenAddress(std::string_view flag, std::string_view value);
// The same; or unix:/path, with a path that a socket can have.
absl::Status CheckSocketOrListenAddress(std::string_view flag,
                                        std::string_view value);

}  // namespace apollo

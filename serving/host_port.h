#pragma once

#include <absl/strings/numbers.h>
#include <absl/strings/string_view.h>

#include <optional>
#include <string>

namespace apollo {

// An address as flags and lists of workers give it.
struct HostPort {
  std::string host;  // An IPv6 address keeps its brackets. May be empty.
  int port = 0;      // 0 to 65535.
};

// Parses "host:port"; nullopt if the text is none, or the port is out of range.
// What a host or port may be beyond that is for the caller to check.
inline std::optional<HostPort> ParseHostPort(absl::string_view text) {
  const std::size_t colon = text.rfind(':');
  int port = -1;
  if (colon == absl::string_view::npos ||
      !absl::SimpleAtoi(text.substr(colon + 1), &port) || port < 0 ||
      port > 65535) {
    return std::nullopt;
  }
  return HostPort{std::string(text.substr(0, colon)), port};
}

}  // namespace apollo

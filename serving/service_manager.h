#pragma once

#include <absl/status/status.h>

#include <string_view>

namespace apollo {

// The messages of sd_notify(3).
inline constexpr std::string_view kServiceReady = "READY=1";
inline constexpr std::string_view kServiceStopping = "STOPPING=1";

// Tells systemd the state of this process, if systemd has started it as a
// service with Type=notify; that is, if the environment variable NOTIFY_SOCKET
// names the socket. Otherwise does nothing. Thread-safe. Returns
// INVALID_ARGUMENT or UNAVAILABLE, which name the socket, if the message cannot
// be sent.
absl::Status NotifyServiceManager(std::string_view message);

}  // namespace apollo

#pragma once

#include <absl/status/statusor.h>

#include <string>

namespace apollo {

// Reads --dns_server, the DNS server for lists of workers that begin with
// "dns:"; empty: those of /etc/resolv.conf. Call after absl::ParseCommandLine.
// Returns INVALID_ARGUMENT naming the flag if it is no address with a port.
absl::StatusOr<std::string> ReadDnsServer();

}  // namespace apollo

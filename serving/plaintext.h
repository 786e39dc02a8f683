#pragma once

#include <absl/status/status.h>

#include <string>
#include <string_view>

namespace apollo {

// Returns true if what is sent to or received at "host:port" never leaves this
// machine: the host is a loopback address (127.0.0.0/8, [::1], localhost), or
// the address is a Unix socket ("unix:/path"). Any other name counts as remote,
// and so does an empty host, which stands for all addresses.
bool IsLocalAddress(std::string_view address);

// Returns FAILED_PRECONDITION, naming the address and the ways out, if
// plaintext at that address could be read on a network.
absl::Status CheckPlaintext(std::string_view address);

}  // namespace apollo

#pragma once

#include <string>

namespace apollo::client {

// Returns a new name for a request, as "cli-0123456789abcdef". The client
// chooses it, so that it is known even if the server never answers.
std::string NewRequestId();

}  // namespace apollo::client

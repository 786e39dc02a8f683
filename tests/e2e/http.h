#pragma once

#include <string>

namespace apollo {

// Sends one GET request to "host:port" of this machine and returns all that the
// server answers; empty if it cannot be reached.
std::string HttpGet(const std::string& address, const std::string& path);

}  // namespace apollo

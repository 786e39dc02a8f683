#pragma once

#include <string>

namespace apollo {

// Sends a GET request to "host:port" on this machine. Returns the whole
// response, or an empty string if the server cannot be reached.
std::string HttpGet(const std::string& address, const std::string& path);

}  // namespace apollo

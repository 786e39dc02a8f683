#pragma once

#include <cstdint>
#include <string>

namespace apollo {

// Returns "r-" and 16 random hexadecimal digits. Any thread.
std::string NewRequestId();

// Returns a random seed. Any thread.
std::uint64_t NewSeed();

}  // namespace apollo

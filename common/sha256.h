#pragma once

#include <string>
#include <string_view>

namespace apollo {

// Returns the SHA-256 digest (FIPS 180-4) as 64 lower-case hexadecimal digits.
// Thread-safe.
std::string Sha256Hex(std::string_view bytes);

}  // namespace apollo

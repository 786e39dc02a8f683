#pragma once

#include <string>
#include <string_view>

namespace apollo {

// Both return the SHA-256 digest (FIPS 180-4): as 32 bytes, and as 64
// lower-case hexadecimal digits. Thread-safe.
std::string Sha256(std::string_view bytes);
std::string Sha256Hex(std::string_view bytes);

}  // namespace apollo

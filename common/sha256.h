#pragma once

#include <string>
#include <string_view>

namespace apollo {

// SHA-256 (FIPS 180-4) of the bytes as 64 lower-case hexadecimal digits. Safe
// from any thread.
std::string Sha256Hex(std::string_view bytes);

}  // namespace apollo

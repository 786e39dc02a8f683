#pragma once

#include <string>

namespace apollo {

// Returns the first message of a TLS 1.2 client (RFC 5246, 7.4.1.2), to which a
// server that works answers at once. It is always the same: it only finds out
// whether somebody answers.
std::string TlsGreeting();

}  // namespace apollo

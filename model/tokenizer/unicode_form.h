#pragma once

namespace apollo {

// The normalization forms of Unicode (UAX #15).
enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };

}  // namespace apollo

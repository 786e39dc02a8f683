#pragma once

#include <cstdint>
#include <functional>

namespace apollo {

// Called as loading or packing goes on, from the thread that does it: bytes of
// weights done, and in all.
using LoadProgress = std::function<void(std::int64_t done, std::int64_t total)>;

// Logs "loading" with the share done, at most about once a second.
LoadProgress LogLoadProgress();

}  // namespace apollo

#pragma once

#include <cstdint>
#include <functional>

namespace apollo {

// Receives the progress of loading or packing, in the loading thread: bytes of
// weights done, and in total.
using LoadProgress = std::function<void(std::int64_t done, std::int64_t total)>;

// Logs "weights_loaded" with the fraction done, at most about once per second.
LoadProgress LogLoadProgress();

}  // namespace apollo

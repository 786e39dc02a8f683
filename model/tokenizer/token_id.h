#pragma once

#include <cstdint>

namespace apollo {

// A row of the model's embedding. Negative values are never valid.
using TokenId = std::int32_t;

}  // namespace apollo

#pragma once

#include <vector>

#include "common/rows.h"

namespace apollo {

// Returns a copy of the numbers for comparison.
inline std::vector<float> Numbers(const Rows& rows) {
  return {rows.host().begin(), rows.host().end()};
}

}  // namespace apollo

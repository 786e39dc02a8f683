#pragma once

#include <vector>

#include "common/rows.h"

namespace apollo {

// A copy of the numbers, for comparing.
inline std::vector<float> Numbers(const Rows& rows) {
  return {rows.host().begin(), rows.host().end()};
}

}  // namespace apollo

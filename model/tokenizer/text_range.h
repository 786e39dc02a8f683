#pragma once

#include <cstddef>

namespace apollo {

// A part of a text: bytes [begin, end).
struct TextRange {
  std::size_t begin = 0, end = 0;
};

}  // namespace apollo

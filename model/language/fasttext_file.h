#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace apollo {

struct FastTextShape {
  int64_t rows = 0;  // Of the input matrix: words and n-grams.
  int64_t dim = 0;
  int64_t labels = 0;
  bool quantised_input = false;
  bool quantised_output = false;
};

// Walks a fastText model file (format 11 or 12) from its first to its last byte
// without loading it. The fastText library itself trusts the file: a truncated
// one makes it read rubbish or allocate without bound, so ask here first.
// INVALID_ARGUMENT, starting with `source`, if the file is not a supervised
// model, is truncated, has bytes left over, or holds sizes or row numbers that
// do not fit together.
absl::StatusOr<FastTextShape> CheckFastTextFile(std::string_view bytes,
                                                const std::string& source);

}  // namespace apollo

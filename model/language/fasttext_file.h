#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace apollo {

struct FastTextShape {
  int64_t rows = 0;  // Rows of the input matrix: words and n-grams.
  int64_t dim = 0;
  int64_t labels = 0;
  bool quantised_input = false;
  bool quantised_output = false;
};

// Validates a fastText model file (format 11 or 12) completely without loading
// it. The fastText library trusts the file: a truncated one makes it read
// garbage or allocate without bound, so check files first. Returns
// INVALID_ARGUMENT, starting with `source`, if the file is not a supervised
// model, is truncated, has trailing bytes, or contains inconsistent sizes or
// row numbers.
absl::StatusOr<FastTextShape> CheckFastTextFile(std::string_view bytes,
                                                const std::string& source);

}  // namespace apollo

#pragma once

#include <absl/status/statusor.h>

namespace apollo {

// The flag --threads: returns `asked`, or as many as the machine has if 0.
// INVALID_ARGUMENT for a negative number and for more than the machine has.
absl::StatusOr<int> ThreadCount(int asked);

}  // namespace apollo

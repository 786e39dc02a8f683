#pragma once

#include <optional>
#include <string>

#include "sequence/generation.h"

namespace apollo {

// A field whose value cannot be.
struct WrongField {
  std::string name;    // As in SamplingOptions, and in the messages.
  std::string reason;  // "is 3; it must be from 0 to 1"
};

// Returns the first field that is out of its range; nothing if all are right.
std::optional<WrongField> CheckSampling(const SamplingOptions& options);

}  // namespace apollo

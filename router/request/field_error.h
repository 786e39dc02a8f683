#pragma once

#include <absl/status/status.h>

#include <optional>
#include <string>
#include <string_view>

namespace apollo {

// Returns an INVALID_ARGUMENT about one field of a request, for example
// FieldError("sampling.temperature", "is -1; it must be from 0 to 100").
// `problem` must never contain text of the request.
absl::Status FieldError(std::string_view field, std::string_view problem);

// The parts of a FieldError, for fronts that send them separately.
struct FieldProblem {
  std::string field;
  std::string problem;
};

// Returns the parts of a FieldError; nothing for any other status.
std::optional<FieldProblem> FieldProblemOf(const absl::Status& status);

}  // namespace apollo

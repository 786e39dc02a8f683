#pragma once

#include <absl/status/status.h>

#include <string>
#include <vector>

namespace apollo {

// Logs each warning about a model directory as "model_doubtful", or, if
// `strict` (the flag --strict_model), returns INVALID_ARGUMENT with the first
// one.
absl::Status ReportModelWarnings(const std::vector<std::string>& warnings,
                                 bool strict);

}  // namespace apollo

#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <string>

#include "model/language/families.h"
#include "router/request/limits.h"
#include "router/request/request.h"

namespace apollo {

// Check everything about a request that can be checked without tokenizing it.
// Return OK, or a FieldError that names the field as apollo.v1 does.
absl::Status CheckGenerate(const GenerateInput& input,
                           const RequestLimits& limits,
                           const FamilyTable& families);
absl::Status CheckScore(const ScoreInput& input, const RequestLimits& limits,
                        const FamilyTable& families);

// Checks a request that consists of one text.
absl::Status CheckText(const std::string& text, const RequestLimits& limits);

// Returns the window of a GetRouting request, from 0 to kMaxRoutingWindow, or
// a FieldError.
absl::StatusOr<absl::Duration> CheckRoutingWindow(std::int64_t seconds);

}  // namespace apollo

#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <string>

#include "model/language/families.h"
#include "router/request/field_error.h"
#include "router/request/limits.h"
#include "router/request/request.h"

namespace apollo {

// Check everything about a request that can be checked without tokenizing it.
// Add all wrong fields, named as in apollo.v1, to `errors`, roughly in their
// order in the request.
void CheckGenerate(const GenerateInput& input, const RequestLimits& limits,
                   const FamilyTable& families, FieldErrors& errors);
void CheckScore(const ScoreInput& input, const RequestLimits& limits,
                const FamilyTable& families, FieldErrors& errors);

// Checks a request that consists of one text.
absl::Status CheckText(const std::string& text, const RequestLimits& limits);

// Returns the window of a GetRouting request, from 0 to kMaxRoutingWindow, or
// a FieldError.
absl::StatusOr<absl::Duration> CheckRoutingWindow(std::int64_t seconds);

}  // namespace apollo

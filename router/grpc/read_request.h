#pragma once

#include <absl/status/statusor.h>

#include "model/language/families.h"
#include "proto/apollo/v1/inference.pb.h"
#include "router/request/limits.h"
#include "router/request/request.h"

namespace apollo {

// Translate and check a request (request/request_checks.h); its language
// becomes a code of the table. Errors are FieldErrors with all wrong fields:
// first those that cannot be translated.
// `default_hybrid` is the meaning of ROUTING_MODE_UNSPECIFIED.
absl::StatusOr<GenerateInput> ReadGenerate(const v1::GenerateRequest& request,
                                           const RequestLimits& limits,
                                           const FamilyTable& families,
                                           bool default_hybrid);
absl::StatusOr<ScoreInput> ReadScore(const v1::ScoreRequest& request,
                                     const RequestLimits& limits,
                                     const FamilyTable& families,
                                     bool default_hybrid);

}  // namespace apollo

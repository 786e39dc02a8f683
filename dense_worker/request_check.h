#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <optional>
#include <string>

#include "model/config/model_config.h"
#include "sequence/generation.h"

namespace apollo {

// Returns the maximum number of positions that a sequence will compute. The
// last token of an answer or of a scored prompt is never fed.
std::int64_t MaxPositions(const GenerationRequest& request);

// Lowers max_new_tokens to fit into `cache_tokens` positions, but not below 1,
// if the request allows that.
void ShortenToCache(GenerationRequest& request, std::int64_t cache_tokens);

// Checks a request against the model. Returns INVALID_ARGUMENT with the reason,
// which never contains token ids.
absl::Status CheckRequest(const GenerationRequest& request,
                          const ModelConfig& config);

// Checks that the alternatives of all rows of a step fit into one message
// between workers, if they are prompt rows of requests such as this one.
// Returns FAILED_PRECONDITION with both numbers.
absl::Status CheckPromptLogprobsFit(const GenerationRequest& request,
                                    int token_budget);

// Returns UNAVAILABLE, naming both ids, if the answer began on a dense worker
// with another numerics id than `own`.
absl::Status CheckOwnNumerics(const GenerationRequest& request,
                              const std::string& own);

// Returns the error for a sequence that no cache can hold: `refused`, which is
// FAILED_PRECONDITION, or UNAVAILABLE if it began on other workers, whose
// caches were large enough.
absl::Status TooLarge(const GenerationRequest& request, absl::Status refused);

// Returns the numerics id that the sequence's expert worker must have; nullopt:
// any.
std::optional<std::string> ExpertNumerics(const GenerationRequest& request);

}  // namespace apollo

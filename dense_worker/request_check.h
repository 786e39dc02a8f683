#pragma once

#include <absl/status/status.h>

#include <cstdint>

#include "model/config/model_config.h"
#include "sequence/generation.h"

namespace apollo {

// Positions that a sequence will compute at most. The last token of an answer,
// and of a scored prompt, is never fed.
std::int64_t MaxPositions(const GenerationRequest& request);

// Lowers max_new_tokens to what `cache_tokens` positions allow, but not below
// 1, if the request allows that.
void ShortenToCache(GenerationRequest& request, std::int64_t cache_tokens);

// Checks a request against the model. INVALID_ARGUMENT says what is wrong with
// it, never which tokens.
absl::Status CheckRequest(const GenerationRequest& request,
                          const ModelConfig& config);

}  // namespace apollo

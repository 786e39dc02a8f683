#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "router/model/router_model.h"
#include "router/request/request.h"

namespace apollo {

// Returns the name of the field that holds the prompt, as in apollo.v1.
const char* PromptField(const PromptInput& input);

// Returns the prompt's tokens. Returns a FieldError if there are none, if they
// leave no room in the context for one more token, or if the chat template
// refuses the chat; INTERNAL if the template fails.
absl::StatusOr<std::vector<std::int32_t>> EncodePrompt(
    const RouterModel& model, const PromptInput& input);

// Returns the maximum number of tokens to generate: `asked`, or if that is 0,
// as many as the limits and the context allow. Returns a FieldError if `asked`
// tokens do not fit.
absl::StatusOr<int> AllowedNewTokens(const RouterModel& model, int asked,
                                     std::size_t prompt_tokens);

}  // namespace apollo

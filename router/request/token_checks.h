#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "router/request/field_error.h"
#include "router/request/limits.h"

namespace apollo {

// Adds an error that names the first token outside the vocabulary, if there is
// one, by its index in the field.
void CheckTokens(std::string_view field,
                 const std::vector<std::int32_t>& tokens,
                 const RequestLimits& limits, FieldErrors& errors);

}  // namespace apollo

#pragma once

#include "model/language/families.h"
#include "router/request/field_error.h"
#include "router/request/limits.h"
#include "router/request/request.h"

namespace apollo {

// Checks the field `resume` of a request that has it, as far as that is
// possible without tokenizing: against the limits, and against the other
// fields, which must be those of the broken request. See CheckGenerate.
void CheckResume(const GenerateInput& input, const RequestLimits& limits,
                 const FamilyTable& families, FieldErrors& errors);

}  // namespace apollo

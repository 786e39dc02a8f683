#pragma once

#include <absl/status/statusor.h>

#include <string_view>

#include "common/json.h"

namespace apollo {

// Parses a file that Python's json module may have written, for example the
// config of a model: like ParseJson, but Infinity, -Infinity and NaN are
// numbers too. Returns INVALID_ARGUMENT, starting with `source`, as ParseJson
// does; the error names a key that occurs twice in an object, of which Python
// would take the last. Not for text of requests, because errors quote keys.
absl::StatusOr<Json> ParsePythonJson(std::string_view text,
                                     std::string_view source,
                                     const JsonLimits& limits = {});

}  // namespace apollo

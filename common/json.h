#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace apollo {

using Json = nlohmann::json;

struct JsonLimits {
  std::size_t max_depth = 32;  // Nested arrays and objects.
};

// Parses one JSON value. INVALID_ARGUMENT, starting with `source` (a file's
// path or what the text is), for broken JSON, nesting deeper than the limit, a
// key given twice in one object, or bytes that are not UTF-8. Never throws, and
// never quotes the text.
absl::StatusOr<Json> ParseJson(std::string_view text, std::string_view source,
                               const JsonLimits& limits = {});

}  // namespace apollo

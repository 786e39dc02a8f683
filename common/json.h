#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace apollo {

using Json = nlohmann::json;
// Keeps the members of an object in the order in which they were added.
using OrderedJson = nlohmann::ordered_json;

struct JsonLimits {
  std::size_t max_depth = 32;  // Nested arrays and objects.
};

// Parses one JSON value. Never throws, and never quotes the text. Returns
// INVALID_ARGUMENT, starting with `source` (a file path or another name of the
// text), for malformed JSON, nesting deeper than the limit, a duplicate key in
// an object, or invalid UTF-8.
absl::StatusOr<Json> ParseJson(std::string_view text, std::string_view source,
                               const JsonLimits& limits = {});

}  // namespace apollo

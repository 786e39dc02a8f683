#pragma once

#include <absl/status/status.h>

#include <string>
#include <string_view>
#include <vector>

#include "common/json.h"

namespace apollo {

// Checks every key of config.json against the table (config_keys.h), so that
// none is ignored silently. Appends one warning with the names of unknown keys,
// if there are any. `source` is the path of the file. Returns INVALID_ARGUMENT
// naming the file, the key, its value and the valid values if a value asks for
// another computation. `config` must be an object.
absl::Status CheckConfigKeys(const Json& config, std::string_view source,
                             std::vector<std::string>& warnings);

// Does the same for generation_config.json (generation_keys.h), of which no
// value is refused.
absl::Status CheckGenerationKeys(const Json& config, std::string_view source,
                                 std::vector<std::string>& warnings);

}  // namespace apollo

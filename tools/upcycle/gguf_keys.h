#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "tools/upcycle/dense_base.h"
#include "tools/upcycle/gguf_file.h"

namespace apollo {

// Checks the keys of a GGUF model that nothing else reads: none may ask for
// another computation than that of `config`. Returns INVALID_ARGUMENT, naming
// file, key, value and valid values. Otherwise returns a warning for each key
// of the architecture or the tokenizer that is not known; other keys, such as
// "general.*" and "quantize.*", describe the file.
absl::StatusOr<std::vector<std::string>> CheckGgufKeys(
    const GgufFile& keys, std::string_view architecture,
    const BaseConfig& config);

}  // namespace apollo

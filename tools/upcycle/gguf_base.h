#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "tools/upcycle/dense_base.h"

namespace apollo {

// Opens a GGUF file of architecture "llama" or "qwen2". INVALID_ARGUMENT for
// another one, or for features that the published format has no place for
// (scaled rotary positions, experts, a head size of its own), naming file and
// key.
absl::StatusOr<std::unique_ptr<DenseBase>> OpenGgufBase(
    const std::string& path);

}  // namespace apollo

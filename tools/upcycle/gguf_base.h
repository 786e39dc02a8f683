#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "tools/upcycle/dense_base.h"

namespace apollo {

// Opens a GGUF file of architecture "llama" or "qwen2". Returns
// INVALID_ARGUMENT, naming file and key, for other architectures and for
// features that the published format does not support (scaled rotary positions,
// experts, a separate head size).
absl::StatusOr<std::unique_ptr<DenseBase>> OpenGgufBase(
    const std::string& path);

}  // namespace apollo

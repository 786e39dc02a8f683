#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "tools/upcycle/dense_base.h"

namespace apollo {

// Opens the GGUF model that a file, or any part of a split one, belongs to.
// docs/models.md lists what loads. Returns INVALID_ARGUMENT or NOT_FOUND,
// naming the file and the key or tensor, for anything that is missing or asks
// for another computation than the published format has.
absl::StatusOr<std::unique_ptr<DenseBase>> OpenGgufBase(
    const std::string& path);

}  // namespace apollo

#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tools/upcycle/gguf_file.h"

namespace apollo {

// The place of a file in a split GGUF model.
struct GgufSplit {
  std::int64_t number = 0;  // From 0; the name of the file counts from 1.
  std::int64_t count = 1;   // Parts of the model; 1: it is not split.
  std::optional<std::int64_t> tensors;  // Of all parts together.
};

// Reads the keys "split.*". Returns INVALID_ARGUMENT, naming file and key, if
// they contradict each other.
absl::StatusOr<GgufSplit> ReadGgufSplit(const GgufFile& file);

// Checks that the name of the file is that of its part, so that those of the
// others follow from it.
absl::Status CheckGgufPartName(std::string_view path, const GgufSplit& split,
                               bool has_keys);

// Returns the path of another part. `path` is that of a part with the right
// name; `number` counts from 0.
std::string GgufPartPath(std::string_view path, std::int64_t number,
                         std::int64_t count);

}  // namespace apollo

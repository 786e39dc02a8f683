#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "model/safetensors/tensor_view.h"

namespace apollo {

// By name. The views point into the bytes that were parsed.
using TensorMap = std::map<std::string, TensorView, std::less<>>;

// The largest header accepted, as in the reference implementation.
inline constexpr std::size_t kMaxSafetensorsHeader = 100'000'000;

// Parses a whole safetensors file:
//   8 bytes     length N of the header, little-endian
//   N bytes     JSON: {"<name>": {"dtype": "F32", "shape": [2, 3],
//               "data_offsets": [begin, end]}, ..., "__metadata__": {...}}
//   the rest    the tensors' bytes; offsets count from here
// and proves that every tensor lies inside `file`, has as many bytes as its
// shape and type say, and that the tensors fill the rest exactly: no overlap,
// no gap. INVALID_ARGUMENT otherwise, starting with `path` and, where there is
// one, the tensor's name. Memory is bounded by the header's size.
absl::StatusOr<TensorMap> ParseSafetensors(std::span<const std::uint8_t> file,
                                           std::string_view path);

}  // namespace apollo

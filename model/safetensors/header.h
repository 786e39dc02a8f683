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

// Tensors by name. The views point into the parsed bytes.
using TensorMap = std::map<std::string, TensorView, std::less<>>;

// The largest header accepted, as in the reference implementation.
inline constexpr std::size_t kMaxSafetensorsHeader = 100'000'000;

// Parses a whole safetensors file:
//   8 bytes     length N of the header, little-endian
//   N bytes     JSON: {"<name>": {"dtype": "F32", "shape": [2, 3],
//               "data_offsets": [begin, end]}, ..., "__metadata__": {...}}
//   the rest    the bytes of the tensors; offsets are relative to here
// Checks that every tensor lies inside `file`, that its size matches its shape
// and type (if the size of the type is known: types of newer versions may occur
// in tensors that nobody reads), and that the tensors fill the rest exactly,
// without overlap or gap.
// Returns INVALID_ARGUMENT otherwise, starting with `path` and, if applicable,
// the name of the tensor. Memory is bounded by the size of the header.
absl::StatusOr<TensorMap> ParseSafetensors(std::span<const std::uint8_t> file,
                                           std::string_view path);

}  // namespace apollo

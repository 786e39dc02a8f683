#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace apollo {

// How a tensor of a GGUF file is stored: its elements, taken along the
// innermost dimension, form blocks of `block_elements`, each stored in
// `block_bytes`.
struct GgmlType {
  std::uint32_t id = 0;  // As written in the file.
  std::string_view name;
  std::int64_t block_elements = 0;
  std::int64_t block_bytes = 0;  // 0: a type that this program cannot read.

  bool readable() const { return block_bytes > 0; }
  bool quantized() const { return block_elements > 1; }
};

// Ids as in the GGUF specification (ggml's enum of tensor types).
inline constexpr std::uint32_t kGgmlF32 = 0;
inline constexpr std::uint32_t kGgmlF16 = 1;
inline constexpr std::uint32_t kGgmlQ4_0 = 2;
inline constexpr std::uint32_t kGgmlQ4_1 = 3;
inline constexpr std::uint32_t kGgmlQ5_0 = 6;
inline constexpr std::uint32_t kGgmlQ5_1 = 7;
inline constexpr std::uint32_t kGgmlQ8_0 = 8;
inline constexpr std::uint32_t kGgmlQ4_K = 12;
inline constexpr std::uint32_t kGgmlQ6_K = 14;
inline constexpr std::uint32_t kGgmlBF16 = 30;

// The type of that id; null for an id that the specification does not have.
const GgmlType* FindGgmlType(std::uint32_t id);

// "F32, F16, ...": the types that can be read.
std::string ReadableGgmlTypes();

}  // namespace apollo

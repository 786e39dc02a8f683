#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace apollo {

// The storage type of a GGUF tensor. Elements along the innermost dimension
// form blocks of `block_elements`, each stored in `block_bytes`.
struct GgmlType {
  std::uint32_t id = 0;  // As in the file.
  std::string_view name;
  std::int64_t block_elements = 0;
  std::int64_t block_bytes = 0;
  bool dequantized = false;  // tools/upcycle/dequantize.h can read it.

  bool readable() const { return dequantized; }
  // Types that were removed from the format, or are newer than this program,
  // have no known size.
  bool sized() const { return block_bytes > 0; }
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
inline constexpr std::uint32_t kGgmlQ2_K = 10;
inline constexpr std::uint32_t kGgmlQ3_K = 11;
inline constexpr std::uint32_t kGgmlQ4_K = 12;
inline constexpr std::uint32_t kGgmlQ5_K = 13;
inline constexpr std::uint32_t kGgmlQ6_K = 14;
inline constexpr std::uint32_t kGgmlIQ4_NL = 20;
inline constexpr std::uint32_t kGgmlIQ4_XS = 23;
inline constexpr std::uint32_t kGgmlBF16 = 30;

// Returns the type with this id, or null if the specification does not have it.
const GgmlType* FindGgmlType(std::uint32_t id);

// Returns the readable types: "F32, F16, ...".
std::string ReadableGgmlTypes();

}  // namespace apollo

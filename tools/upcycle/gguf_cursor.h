#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tools/upcycle/gguf_file.h"

namespace apollo {

// Ids of the types of metadata values in a GGUF file.
inline constexpr std::uint32_t kGgufUint8 = 0;
inline constexpr std::uint32_t kGgufInt8 = 1;
inline constexpr std::uint32_t kGgufUint16 = 2;
inline constexpr std::uint32_t kGgufInt16 = 3;
inline constexpr std::uint32_t kGgufUint32 = 4;
inline constexpr std::uint32_t kGgufInt32 = 5;
inline constexpr std::uint32_t kGgufFloat32 = 6;
inline constexpr std::uint32_t kGgufBool = 7;
inline constexpr std::uint32_t kGgufString = 8;
inline constexpr std::uint32_t kGgufArray = 9;
inline constexpr std::uint32_t kGgufUint64 = 10;
inline constexpr std::uint32_t kGgufInt64 = 11;
inline constexpr std::uint32_t kGgufFloat64 = 12;

// Reads the elementary values of a GGUF file sequentially. Returns OUT_OF_RANGE
// "the file ends too early" instead of reading beyond the end.
class GgufCursor {
 public:
  explicit GgufCursor(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  std::size_t position() const { return position_; }

  absl::StatusOr<std::uint32_t> ReadU32();
  absl::StatusOr<std::uint64_t> ReadU64();
  absl::StatusOr<std::string_view> ReadString();
  absl::StatusOr<std::span<const std::uint8_t>> ReadBytes(std::uint64_t count);

  // Reads a value of this type, including arrays, and arrays of arrays up to
  // kMaxDepth. Returns INVALID_ARGUMENT for an unknown type, deeper arrays, or
  // a bool other than 0 or 1.
  absl::StatusOr<GgufValue> ReadValue(std::uint32_t type);

 private:
  static constexpr int kMaxDepth = 8;

  absl::StatusOr<std::uint64_t> ReadUnsigned(int bytes);
  absl::StatusOr<GgufArray> ReadArray(int depth);

  const std::span<const std::uint8_t> bytes_;
  std::size_t position_ = 0;
};

}  // namespace apollo

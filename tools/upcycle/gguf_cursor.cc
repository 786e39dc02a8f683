#include "tools/upcycle/gguf_cursor.h"

#include <absl/strings/str_cat.h>

#include <bit>
#include <limits>

#include "common/status_macros.h"

namespace apollo {
namespace {

// Returns the size in bytes of a fixed-size value; 0 for strings, arrays and
// unknown types.
std::uint64_t FixedSize(std::uint32_t type) {
  switch (type) {
    case kGgufUint8:
    case kGgufInt8:
    case kGgufBool:
      return 1;
    case kGgufUint16:
    case kGgufInt16:
      return 2;
    case kGgufUint32:
    case kGgufInt32:
    case kGgufFloat32:
      return 4;
    case kGgufUint64:
    case kGgufInt64:
    case kGgufFloat64:
      return 8;
    default:
      return 0;
  }
}

}  // namespace

absl::StatusOr<std::span<const std::uint8_t>> GgufCursor::ReadBytes(
    std::uint64_t count) {
  if (count > bytes_.size() - position_) {
    return absl::OutOfRangeError(absl::StrCat(
        "the file ends too early: ", count, " bytes wanted at byte ", position_,
        ", ", bytes_.size() - position_, " left"));
  }
  const auto bytes = bytes_.subspan(position_, count);
  position_ += count;
  return bytes;
}

absl::StatusOr<std::uint64_t> GgufCursor::ReadUnsigned(int bytes) {
  ASSIGN_OR_RETURN(const auto raw,
                   ReadBytes(static_cast<std::uint64_t>(bytes)));
  std::uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; --i) {
    value = value << 8 | raw[static_cast<std::size_t>(i)];
  }
  return value;
}

absl::StatusOr<std::uint32_t> GgufCursor::ReadU32() {
  ASSIGN_OR_RETURN(const std::uint64_t value, ReadUnsigned(4));
  return static_cast<std::uint32_t>(value);
}

absl::StatusOr<std::uint64_t> GgufCursor::ReadU64() { return ReadUnsigned(8); }

absl::StatusOr<std::string_view> GgufCursor::ReadString() {
  ASSIGN_OR_RETURN(const std::uint64_t length, ReadU64());
  ASSIGN_OR_RETURN(const auto bytes, ReadBytes(length));
  return std::string_view(reinterpret_cast<const char*>(bytes.data()),
                          bytes.size());
}

absl::StatusOr<GgufValue> GgufCursor::ReadValue(std::uint32_t type) {
  if (type == kGgufString) {
    ASSIGN_OR_RETURN(const std::string_view text, ReadString());
    return GgufValue(text);
  }
  if (type == kGgufArray) {
    ASSIGN_OR_RETURN(const GgufArray array, ReadArray(1));
    return GgufValue(array);
  }
  const std::uint64_t size = FixedSize(type);
  if (size == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown value type ", type));
  }
  ASSIGN_OR_RETURN(const std::uint64_t raw,
                   ReadUnsigned(static_cast<int>(size)));
  switch (type) {
    case kGgufInt8:
      return GgufValue(std::int64_t{static_cast<std::int8_t>(raw)});
    case kGgufInt16:
      return GgufValue(std::int64_t{static_cast<std::int16_t>(raw)});
    case kGgufInt32:
      return GgufValue(std::int64_t{static_cast<std::int32_t>(raw)});
    case kGgufFloat32:
      return GgufValue(
          double{std::bit_cast<float>(static_cast<std::uint32_t>(raw))});
    case kGgufFloat64:
      return GgufValue(std::bit_cast<double>(raw));
    case kGgufBool:
      if (raw > 1) {
        return absl::InvalidArgumentError(
            absl::StrCat("a bool must be 0 or 1, is ", raw));
      }
      return GgufValue(raw == 1);
    case kGgufUint64:
      if (raw > static_cast<std::uint64_t>(
                    std::numeric_limits<std::int64_t>::max())) {
        return GgufValue(raw);
      }
      break;
    default:
      break;
  }
  return GgufValue(static_cast<std::int64_t>(raw));
}

absl::StatusOr<GgufArray> GgufCursor::ReadArray(int depth) {
  GgufArray array;
  ASSIGN_OR_RETURN(array.type, ReadU32());
  ASSIGN_OR_RETURN(array.count, ReadU64());
  const std::size_t start = position_;
  if (array.type == kGgufString || array.type == kGgufArray) {
    if (array.type == kGgufArray && depth == kMaxDepth) {
      return absl::InvalidArgumentError(
          absl::StrCat("arrays of arrays are nested deeper than ", kMaxDepth));
    }
    // Each element takes at least 8 bytes, so a false count ends this loop
    // early.
    for (std::uint64_t i = 0; i < array.count; ++i) {
      if (array.type == kGgufString) {
        RETURN_IF_ERROR(ReadString().status());
      } else {
        RETURN_IF_ERROR(ReadArray(depth + 1).status());
      }
    }
    array.bytes = bytes_.subspan(start, position_ - start);
    return array;
  }
  const std::uint64_t size = FixedSize(array.type);
  if (size == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("an array of values of unknown type ", array.type));
  }
  if (array.count > std::numeric_limits<std::uint64_t>::max() / size) {
    return absl::InvalidArgumentError(
        absl::StrCat("an array of ", array.count, " values is too large"));
  }
  ASSIGN_OR_RETURN(array.bytes, ReadBytes(array.count * size));
  return array;
}

}  // namespace apollo

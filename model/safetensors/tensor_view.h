#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace apollo {

// The element types this project computes with, and one for all the others that
// the safetensors format knows: those are listed, but refused when converted.
enum class DType { kF32, kF16, kBF16, kOther };

// "F32", "F16", "BF16", as they stand in a file; "other" for kOther.
std::string_view DTypeName(DType dtype);

// Bytes of one element. 0 for kOther, whose size depends on dtype_name.
std::size_t DTypeSize(DType dtype);

// Bytes of one element of any type of the format ("I64", "F8_E4M3", ...); empty
// for a name that the format does not have.
std::optional<std::size_t> DTypeSizeByName(std::string_view name);

// kF32, kF16, kBF16, or kOther for every other name.
DType DTypeFromName(std::string_view name);

// One tensor of an open file, row-major. `data` points into the mapping of the
// SafetensorsFile or Checkpoint it came from, which must outlive it, and may
// lie at any address: read elements with memcpy (model/safetensors/convert.h
// does).
struct TensorView {
  std::string name;
  DType dtype = DType::kOther;
  std::vector<std::int64_t> shape;  // Empty for a scalar.
  std::span<const std::uint8_t>
      data;                // Product of shape x size of dtype bytes.
  std::string dtype_name;  // As written in the file.
  std::string file;        // Path, for messages.

  // Product of the shape. The readers have proven that it does not overflow.
  std::int64_t NumElements() const;

  // `<file>: tensor "<name>"`, the start of every error about this tensor.
  std::string Where() const;
};

// `<file>: tensor "<name>"` with the name made printable and cut to 200 bytes.
std::string DescribeTensor(std::string_view file, std::string_view name);

// "[49152, 576]"
std::string ShapeToString(std::span<const std::int64_t> shape);

}  // namespace apollo

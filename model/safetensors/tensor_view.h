#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace apollo {

// The element types that this project computes with. All other types of the
// safetensors format are kOther, which cannot be converted.
enum class DType { kF32, kF16, kBF16, kOther };

// Returns "F32", "F16" or "BF16", as in the file; "other" for kOther.
std::string_view DTypeName(DType dtype);

// Returns the bytes per element. 0 for kOther, whose size depends on
// dtype_name.
std::size_t DTypeSize(DType dtype);

// Returns the bits per element of any type of the format ("I64", "F8_E4M3",
// "F4", ...), or nullopt for an unknown name.
std::optional<std::size_t> DTypeBitsByName(std::string_view name);

// Returns kF32, kF16, kBF16, or kOther for any other name.
DType DTypeFromName(std::string_view name);

// A tensor of an open file, row-major. `data` points into the mapping of the
// SafetensorsFile or Checkpoint, which must outlive the view. It may be
// unaligned: read elements with memcpy, as model/safetensors/convert.h does.
struct TensorView {
  std::string name;
  DType dtype = DType::kOther;
  std::vector<std::int64_t> shape;     // Empty for a scalar.
  std::span<const std::uint8_t> data;  // The elements, without gaps.
  std::string dtype_name;              // As written in the file.
  std::string file;                    // Path, for messages.

  // Returns the product of the shape. The readers have checked that it does not
  // overflow.
  std::int64_t NumElements() const;

  // Returns `<file>: tensor "<name>"`, the start of every error about this
  // tensor.
  std::string Where() const;
};

// Returns `<file>: tensor "<name>"`, with the name made printable and truncated
// to 200 bytes.
std::string DescribeTensor(std::string_view file, std::string_view name);

// Returns for example "[49152, 576]".
std::string ShapeToString(std::span<const std::int64_t> shape);

}  // namespace apollo

#include "model/safetensors/tensor_view.h"

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <utility>

#include "common/strings.h"

namespace apollo {
namespace {

// The types of version 0.8 of the format, and the bits of an element.
constexpr std::pair<std::string_view, std::size_t> kBits[] = {
    {"F4", 4},          {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"BOOL", 8},
    {"U8", 8},          {"I8", 8},      {"F8_E5M2", 8},     {"F8_E4M3", 8},
    {"F8_E8M0", 8},     {"I16", 16},    {"F8_E4M3FNUZ", 8}, {"U16", 16},
    {"F8_E5M2FNUZ", 8}, {"F16", 16},    {"BF16", 16},       {"I32", 32},
    {"U32", 32},        {"F32", 32},    {"I64", 64},        {"U64", 64},
    {"F64", 64},        {"C64", 64}};

}  // namespace

std::string_view DTypeName(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "F32";
    case DType::kF16:
      return "F16";
    case DType::kBF16:
      return "BF16";
    case DType::kOther:
      break;
  }
  return "other";
}

std::size_t DTypeSize(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return 4;
    case DType::kF16:
    case DType::kBF16:
      return 2;
    case DType::kOther:
      break;
  }
  return 0;
}

std::optional<std::size_t> DTypeBitsByName(std::string_view name) {
  for (const auto& [known, bits] : kBits) {
    if (known == name) return bits;
  }
  return std::nullopt;
}

DType DTypeFromName(std::string_view name) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    if (DTypeName(dtype) == name) return dtype;
  }
  return DType::kOther;
}

std::int64_t TensorView::NumElements() const {
  std::int64_t product = 1;
  for (const std::int64_t size : shape) product *= size;
  return product;
}

std::string TensorView::Where() const { return DescribeTensor(file, name); }

std::string DescribeTensor(std::string_view file, std::string_view name) {
  constexpr std::size_t kMaxShown = 200;
  const bool cut = name.size() > kMaxShown;
  return absl::StrCat(ToAbsl(file), ": tensor \"",
                      absl::CHexEscape(ToAbsl(name.substr(0, kMaxShown))),
                      cut ? "..." : "", "\"");
}

std::string ShapeToString(std::span<const std::int64_t> shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

}  // namespace apollo

#include "model/weights/weight_names.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "common/strings.h"

namespace apollo {
namespace {

constexpr std::pair<const char*, std::optional<WeightFormat>> kNames[] = {
    {"auto", std::nullopt},
    {"float32", WeightFormat::kF32},
    {"bf16", WeightFormat::kBF16},
    {"int8", WeightFormat::kInt8},
    {"int4", WeightFormat::kInt4}};

}  // namespace

const char* WeightsName(std::optional<WeightFormat> format) {
  for (const auto& [name, named] : kNames) {
    if (format == named) return name;
  }
  return "unknown";
}

absl::StatusOr<std::optional<WeightFormat>> WeightsByName(
    std::string_view name) {
  for (const auto& [known, format] : kNames) {
    if (name == known) return format;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", ToAbsl(name), "\"; it must be auto, float32, bf16, int8 or int4"));
}

absl::StatusOr<std::optional<WeightFormat>> ParseWeights(
    std::string_view name) {
  auto format = WeightsByName(name);
  if (format.ok()) return format;
  return absl::InvalidArgumentError(
      absl::StrCat("--weights is ", format.status().message()));
}

}  // namespace apollo

#include "model/weights/weight_names.h"

#include <absl/strings/str_cat.h>

#include <iterator>

#include "common/strings.h"

namespace apollo {
namespace {

constexpr char kAuto[] = "auto";

// Returns "auto", followed by `of_auto`, and the formats.
std::string Names(const char* of_auto) {
  std::string names = absl::StrCat(kAuto, of_auto);
  for (const WeightFormatInfo& info : kWeightFormats) {
    const bool last = &info == std::end(kWeightFormats) - 1;
    absl::StrAppend(&names, last ? " or " : ", ", info.name);
  }
  return names;
}

}  // namespace

const char* WeightsName(std::optional<WeightFormat> format) {
  return format ? InfoOf(*format).name : kAuto;
}

std::string WeightsHelp() { return Names(" (as in the checkpoint)"); }

absl::StatusOr<std::optional<WeightFormat>> WeightsByName(
    std::string_view name) {
  if (name == kAuto) return std::nullopt;
  for (const WeightFormatInfo& info : kWeightFormats) {
    if (name == info.name) return info.format;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", ToAbsl(name), "\"; it must be ", Names("")));
}

absl::StatusOr<std::optional<WeightFormat>> ParseWeights(
    std::string_view name) {
  auto format = WeightsByName(name);
  if (format.ok()) return format;
  return absl::InvalidArgumentError(
      absl::StrCat("--weights is ", format.status().message()));
}

}  // namespace apollo

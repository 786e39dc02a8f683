#include "engine/cache_options.h"

#include <absl/strings/str_cat.h>

#include "common/status_macros.h"
#include "common/strings.h"

namespace apollo {

absl::StatusOr<std::int64_t> CacheBytes(std::int64_t megabytes) {
  constexpr std::int64_t kMost = std::int64_t{1} << 30;
  if (megabytes < 1 || megabytes > kMost) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--cache_megabytes is ", megabytes, "; it must be from 1 to ", kMost));
  }
  return megabytes << 20;
}

absl::StatusOr<CacheOptions> ParseCacheOptions(
    std::int64_t megabytes, std::string_view dtype,
    std::optional<WeightFormat> weights) {
  CacheOptions options;
  ASSIGN_OR_RETURN(options.bytes, CacheBytes(megabytes));
  if (dtype == "auto") {
    const bool rounded = weights && *weights != WeightFormat::kF32;
    options.type = rounded ? CacheType::kF16 : CacheType::kFloat32;
  } else if (dtype == "f16") {
    options.type = CacheType::kF16;
  } else if (dtype == "bf16") {
    options.type = CacheType::kBf16;
  } else if (dtype != "float32") {
    return absl::InvalidArgumentError(
        absl::StrCat("--cache_dtype is \"", ToAbsl(dtype),
                     "\"; it must be auto, float32, f16 or bf16"));
  }
  return options;
}

}  // namespace apollo

#include "engine/cache_options.h"

#include <absl/strings/str_cat.h>

#include "common/status_macros.h"
#include "common/strings.h"
#include "engine/worker_device.h"

namespace apollo {

absl::StatusOr<std::int64_t> CacheBytes(std::int64_t megabytes) {
  constexpr std::int64_t kMost = std::int64_t{1} << 30;
  if (megabytes < 1 || megabytes > kMost) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--cache_megabytes is ", megabytes, "; it must be from 1 to ", kMost));
  }
  return megabytes << 20;
}

absl::Status CheckCacheFits(std::int64_t bytes,
                            std::optional<std::int64_t> free_bytes) {
  if (!free_bytes || bytes <= *free_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--cache_megabytes is ", bytes >> 20, ", but only ", *free_bytes >> 20,
      " MB of memory are free; it must be less, since the weights "
      "need memory, too"));
}

namespace {

absl::StatusOr<CacheType> ParseType(std::string_view dtype, CacheType of_auto) {
  if (dtype == "auto") return of_auto;
  if (dtype == "float32") return CacheType::kFloat32;
  if (dtype == "f16") return CacheType::kF16;
  if (dtype == "bf16") return CacheType::kBf16;
  return absl::InvalidArgumentError(
      absl::StrCat("--cache_dtype is \"", ToAbsl(dtype),
                   "\"; it must be auto, float32, f16 or bf16"));
}

}  // namespace

absl::StatusOr<CacheOptions> ParseCacheOptions(
    std::int64_t megabytes, std::string_view dtype,
    std::optional<WeightFormat> weights, Device device) {
  CacheOptions options;
  ASSIGN_OR_RETURN(options.bytes, CacheBytes(megabytes));
  const bool gpu = IsGpu(device);
  const bool rounded = weights && *weights != WeightFormat::kF32;
  ASSIGN_OR_RETURN(options.type,
                   ParseType(dtype, gpu       ? CacheType::kBf16
                                    : rounded ? CacheType::kF16
                                              : CacheType::kFloat32));
  if (gpu && options.type != CacheType::kBf16) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--cache_dtype is ", ToAbsl(dtype),
        "; with --device=", DeviceName(device), " it must be auto or bf16"));
  }
  return options;
}

}  // namespace apollo

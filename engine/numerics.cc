#include "engine/numerics.h"

#include <absl/strings/str_cat.h>

#include "kernels/weight_format.h"
#include "model/weights/weight_names.h"

namespace apollo {
namespace {

const char* CacheName(CacheType type) {
  switch (type) {
    case CacheType::kFloat32:
      return "float32";
    case CacheType::kF16:
      return "f16";
    case CacheType::kBf16:
      return "bf16";
  }
  return "unknown";
}

}  // namespace

std::string CpuNumerics(std::optional<WeightFormat> weights, CacheType cache) {
  return absl::StrCat("cpu/", WeightsName(weights), "/", CacheName(cache), "/",
                      kCpuSums);
}

std::string CudaNumerics(int major, int minor, WeightFormat weights,
                         CacheType cache) {
  return absl::StrCat("cuda/sm_", major, minor, "/", InfoOf(weights).name, "/",
                      CacheName(cache), "/", kCudaSums);
}

}  // namespace apollo

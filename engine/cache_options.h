#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/rows.h"
#include "engine/cache_size.h"
#include "kernels/weight_format.h"

namespace apollo {

// Converts the flag --cache_megabytes to bytes. Returns INVALID_ARGUMENT unless
// it is from 1 to 2^30 (a pebibyte).
absl::StatusOr<std::int64_t> CacheBytes(std::int64_t megabytes);

// Returns INVALID_ARGUMENT, naming --cache_megabytes and both numbers, if a
// cache of that many bytes is larger than the free memory
// (common/free_memory.h; nullopt: unknown). It is not allocated at start, but
// would end the process when it fills up.
absl::Status CheckCacheFits(std::int64_t bytes,
                            std::optional<std::int64_t> free_bytes);

// Parses the flags --cache_megabytes and --cache_dtype ("float32", "f16",
// "bf16", or "auto": f16 if --weights rounds the weights, else float32). On a
// GPU the type is bf16, and only "auto" and "bf16" are accepted. Returns
// INVALID_ARGUMENT naming the flag that is wrong.
absl::StatusOr<CacheOptions> ParseCacheOptions(
    std::int64_t megabytes, std::string_view dtype,
    std::optional<WeightFormat> weights, Device device = {});

}  // namespace apollo

#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "engine/kv_cache.h"
#include "engine/weights.h"
#include "model/config/model_config.h"
#include "model/safetensors/checkpoint.h"

namespace apollo {

// A model directory that was opened and whose every tensor was checked against its
// config; no weight has been read.
struct OpenModel {
  ModelConfig config;
  std::unique_ptr<Checkpoint> checkpoint;
  std::string hash;  // See ModelHash.
};

// NOT_FOUND, INVALID_ARGUMENT or UNIMPLEMENTED naming the file and what is wrong.
absl::StatusOr<OpenModel> OpenModelDirectory(const std::string& directory);

// Logs "loading" with the share done, at most about once a second.
LoadProgress LogLoadProgress();

// "all" or "0,2,5": experts below num_experts. INVALID_ARGUMENT naming the part
// that is wrong.
absl::StatusOr<std::set<int>> ParseExperts(std::string_view list,
                                           int num_experts);

// Threads to use: `asked`, or as many as the machine has if 0. INVALID_ARGUMENT
// for a negative number or more than the machine has.
absl::StatusOr<int> ThreadCount(int asked);

// The flag --cache_megabytes in bytes. INVALID_ARGUMENT unless it is from 1 to
// 2^30 (a pebibyte).
absl::StatusOr<std::int64_t> CacheBytes(std::int64_t megabytes);

// The flags --cache_megabytes and --cache_dtype ("float32" or "bf16").
// INVALID_ARGUMENT naming the one that is wrong.
absl::StatusOr<CacheOptions> ParseCacheOptions(std::int64_t megabytes,
                                               std::string_view dtype);

}  // namespace apollo

#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "engine/kv_cache.h"
#include "engine/weight_source.h"
#include "engine/weights.h"
#include "model/config/model_config.h"

namespace apollo {

// A model directory that was opened and whose every tensor was checked against
// its config; no weight has been read.
struct OpenModel {
  ModelConfig config;
  std::unique_ptr<WeightSource> weights;
  // The format of choice, or none: as in the checkpoint.
  std::optional<WeightFormat> format;
  // See ModelHash; with "+int8" behind it, say, if the weights are served in a
  // format of choice. Workers compare it when they link.
  std::string hash;
};

// The flag --weights: "auto" (nothing, the checkpoint's own precision),
// "float32", "bf16", "int8" or "int4". INVALID_ARGUMENT for any other.
absl::StatusOr<std::optional<WeightFormat>> ParseWeights(std::string_view name);

// Opens a checkpoint, to be served in the format (or its own, if none), or
// packed weights (PackModel), which are in one format for good. NOT_FOUND,
// INVALID_ARGUMENT or UNIMPLEMENTED naming the file and what is wrong.
absl::StatusOr<OpenModel> OpenModelDirectory(
    const std::string& directory,
    std::optional<WeightFormat> format = std::nullopt);

// Writes the packed weights (packed_weights.h) of a checkpoint's directory to
// the file `path`. Errors as OpenModelDirectory's, and those of the file
// system.
absl::Status PackModel(const std::string& directory,
                       std::optional<WeightFormat> format,
                       const std::string& path, ThreadPool& pool,
                       const LoadProgress& progress);

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

// INVALID_ARGUMENT naming the flag and its value unless that is at least 1, in
// the range, or longer than nothing.
absl::Status CheckAtLeastOne(std::string_view flag, std::int64_t value);
absl::Status CheckFromTo(std::string_view flag, std::int64_t value,
                         std::int64_t least, std::int64_t most);
absl::Status CheckAboveZero(std::string_view flag, absl::Duration value);

// The flags --cache_megabytes and --cache_dtype ("float32", "f16", "bf16", or
// "auto": f16 beside weights that were rounded by choice, else float32).
// INVALID_ARGUMENT naming the one that is wrong.
absl::StatusOr<CacheOptions> ParseCacheOptions(
    std::int64_t megabytes, std::string_view dtype,
    std::optional<WeightFormat> weights);

}  // namespace apollo

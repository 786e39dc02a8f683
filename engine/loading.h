#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <set>
#include <string>
#include <string_view>

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

}  // namespace apollo

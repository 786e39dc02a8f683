#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/safetensors/reader.h"
#include "model/safetensors/tensor_view.h"

namespace apollo {

// The tensors of a Hugging Face model directory: one model.safetensors, or the
// shards that model.safetensors.index.json lists. Immutable, so safe from any
// thread. Movable; owns the mappings that its views point into.
class Checkpoint {
 public:
  // Opens and checks every file. Of an index, "weight_map" (tensor name ->
  // plain file name in the same directory) decides where a tensor comes from;
  // tensors of a shard that it does not list are not seen. model.safetensors
  // wins if both are there. NOT_FOUND without either; INVALID_ARGUMENT for a
  // broken index, a listed tensor that its shard does not have, or a broken
  // file.
  static absl::StatusOr<Checkpoint> Open(const std::string& directory);

  // Null when there is none of that name.
  const TensorView* Find(std::string_view name) const;

  // Like Find, but NOT_FOUND, naming the directory and the tensor. The pointer
  // is never null and lives as long as the checkpoint.
  absl::StatusOr<const TensorView*> Get(std::string_view name) const;

  // In alphabetical order.
  std::vector<std::string> names() const;
  const std::string& directory() const { return directory_; }
  // The files that hold tensors, in the order in which they were opened.
  const std::vector<std::unique_ptr<SafetensorsFile>>& files() const {
    return files_;
  }

 private:
  explicit Checkpoint(std::string directory)
      : directory_(std::move(directory)) {}
  absl::Status AddSingle(const std::string& path);
  absl::Status AddShards(const std::string& index_path);

  std::string directory_;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, const TensorView*, std::less<>> tensors_;  // In files_.
};

}  // namespace apollo

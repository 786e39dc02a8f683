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
// shards listed in model.safetensors.index.json. Immutable, therefore
// thread-safe. Movable. Owns the mappings that its views point into.
class Checkpoint {
 public:
  // Opens and checks every file. In an index, "weight_map" (tensor name ->
  // plain file name in the same directory) assigns tensors to shards; other
  // tensors in a shard are ignored. model.safetensors takes precedence if both
  // exist. Returns NOT_FOUND without either, or INVALID_ARGUMENT for an invalid
  // index, a listed tensor that its shard lacks, or an invalid file.
  static absl::StatusOr<Checkpoint> Open(const std::string& directory);

  // Returns null if there is no tensor of that name.
  const TensorView* Find(std::string_view name) const;

  // Like Find, but returns NOT_FOUND, naming the directory and the tensor,
  // instead of null. The pointer is valid as long as the checkpoint.
  absl::StatusOr<const TensorView*> Get(std::string_view name) const;

  // In alphabetical order.
  std::vector<std::string> names() const;
  const std::string& directory() const { return directory_; }
  // The files that hold tensors, in the order of opening.
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

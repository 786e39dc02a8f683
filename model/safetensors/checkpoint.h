#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/safetensors/reader.h"
#include "model/safetensors/tensor_view.h"

namespace apollo {

// The tensors of a Hugging Face model directory: one model.safetensors, or the
// shards listed in model.safetensors.index.json. Thread-safe, except Replace.
// Movable. Owns the mappings that its views point into.
class Checkpoint {
 public:
  // Opens and checks every file. In an index, "weight_map" (tensor name ->
  // plain file name in the same directory, also as "./name") assigns tensors to
  // shards; other tensors in a shard are ignored. An index may list what is not
  // there (`absent`). model.safetensors takes precedence if both exist. Returns
  // NOT_FOUND without either, or INVALID_ARGUMENT for an invalid index or an
  // invalid file.
  static absl::StatusOr<Checkpoint> Open(const std::string& directory);

  // Returns null if there is no tensor of that name.
  const TensorView* Find(std::string_view name) const;

  // Like Find, but returns NOT_FOUND instead of null, naming the directory, the
  // tensor, and the file that lacks it if an index lists it. The pointer is
  // valid as long as the checkpoint.
  absl::StatusOr<const TensorView*> Get(std::string_view name) const;

  // Puts views of a tensor in its place, each under a name of its own. The
  // views must point into the tensor. There must be a tensor `name`, and none
  // with a name of the parts.
  void Replace(const std::string& name,
               std::vector<std::pair<std::string, TensorView>> parts);
  // Returns true for tensors that Replace has taken out.
  bool WasReplaced(std::string_view name) const {
    return replaced_.contains(name);
  }

  // Tensors that the index lists, but that are not in the listed file, or whose
  // file does not exist: their names, and a sentence that says so. No obstacle
  // unless they are needed.
  const std::map<std::string, std::string, std::less<>>& absent() const {
    return absent_;
  }

  // In alphabetical order.
  std::vector<std::string> names() const;
  const std::string& directory() const { return directory_; }
  // The files that hold tensors, in the order of opening; also tensors that an
  // index does not list, or that Replace has taken out.
  const std::vector<std::unique_ptr<SafetensorsFile>>& files() const {
    return files_;
  }

 private:
  explicit Checkpoint(std::string directory)
      : directory_(std::move(directory)) {}
  absl::Status AddSingle(const std::string& path);
  absl::Status AddShards(const std::string& index_path);
  // Returns null if there is no such file.
  absl::StatusOr<const SafetensorsFile*> OpenShard(
      const std::string& file_name);

  std::string directory_;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::vector<std::unique_ptr<TensorView>> parts_;  // Of Replace.
  // In files_ or parts_.
  std::map<std::string, const TensorView*, std::less<>> tensors_;
  std::map<std::string, std::string, std::less<>> absent_;
  std::set<std::string, std::less<>> replaced_;
};

}  // namespace apollo

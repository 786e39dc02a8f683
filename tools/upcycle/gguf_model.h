#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/mapped_file.h"
#include "tools/upcycle/gguf_file.h"

namespace apollo {

// A complete GGUF model, in one file or split into parts
// ("NAME-00001-of-00003.gguf", keys split.no, split.count and
// split.tensors.count). Immutable; movable.
class GgufModel {
 public:
  // Opens the model that the file, or any part of it, belongs to. Returns
  // INVALID_ARGUMENT, naming the files, if a part is missing, has another name
  // than its keys say, or belongs to another model, and the errors of
  // GgufFile::Parse.
  static absl::StatusOr<GgufModel> Open(const std::string& path);

  // The first part, whose keys are those of the model.
  const GgufFile& keys() const { return parts_.front().file; }

  // Returns null if no part has a tensor of that name.
  const GgufTensor* FindTensor(std::string_view name) const;

  // The names of the tensors of all parts, in alphabetical order.
  std::vector<std::string_view> TensorNames() const;

  // Returns "<path of its part>: tensor \"<name>\"", for messages.
  std::string Where(std::string_view name) const;

 private:
  struct Part {
    MappedFile mapping;
    GgufFile file;  // Points into mapping.
  };
  struct Place {
    const GgufTensor* tensor;
    std::size_t part;
  };

  static absl::StatusOr<Part> OpenPart(const std::string& path);
  absl::Status IndexTensors();

  std::vector<Part> parts_;
  std::map<std::string_view, Place> tensors_;  // Points into parts_.
};

}  // namespace apollo

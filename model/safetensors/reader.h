#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/mapped_file.h"
#include "model/safetensors/header.h"
#include "model/safetensors/tensor_view.h"

namespace apollo {

// A .safetensors file, mapped read-only. Opening it reads only the header;
// pages of tensors are read from disk on first access. Immutable, therefore
// thread-safe. Movable: views stay valid as long as the object that holds the
// mapping. The file must not be truncated while it is open.
class SafetensorsFile {
 public:
  // Checks the whole header (model/safetensors/header.h). Returns NOT_FOUND,
  // PERMISSION_DENIED or INVALID_ARGUMENT, naming the file and the tensor.
  static absl::StatusOr<SafetensorsFile> Open(const std::string& path);

  // Returns null if there is no tensor of that name.
  const TensorView* Find(std::string_view name) const;

  // In alphabetical order.
  std::vector<std::string> names() const;
  const TensorMap& tensors() const { return tensors_; }
  const std::string& path() const { return file_.path(); }
  const FileIdentity& identity() const { return file_.identity(); }

 private:
  SafetensorsFile(MappedFile file, TensorMap tensors)
      : file_(std::move(file)), tensors_(std::move(tensors)) {}

  MappedFile file_;
  TensorMap tensors_;  // Views into file_.
};

}  // namespace apollo

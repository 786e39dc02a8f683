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

// One .safetensors file, mapped read-only: opening it reads only the header,
// and a tensor's pages come from disk when they are first touched. Immutable,
// so safe from any thread. Movable; views stay valid as long as the object they
// came from or moved into. The file must not be shortened while it is open.
class SafetensorsFile {
 public:
  // Checks the whole header (model/safetensors/header.h). NOT_FOUND,
  // PERMISSION_DENIED or INVALID_ARGUMENT, naming the file and the tensor.
  static absl::StatusOr<SafetensorsFile> Open(const std::string& path);

  // Null when there is none of that name.
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

#include "model/weights/check_tensors.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstdint>

#include "common/status_macros.h"
#include "common/strings.h"
#include "model/weights/tensor_registry.h"

namespace apollo {

absl::Status CheckTensors(const ModelConfig& config,
                          const Checkpoint& checkpoint) {
  std::int64_t shared_width = 0;
  return VisitTensors(config, [&](TensorInfo spec) -> absl::Status {
    ASSIGN_OR_RETURN(const TensorView* tensor, checkpoint.Get(spec.name));
    const TensorView& view = *tensor;
    // A width of 0 stands for that of the shared experts, which the first of
    // their tensors determines.
    for (std::size_t d = 0; d < spec.shape.size(); ++d) {
      if (spec.shape[d] != 0) continue;
      if (shared_width == 0 && view.shape.size() == spec.shape.size()) {
        shared_width = std::clamp<std::int64_t>(view.shape[d], 1, 1 << 20);
      }
      spec.shape[d] = shared_width;
    }
    if (view.shape != spec.shape) {
      return absl::InvalidArgumentError(
          absl::StrCat(view.Where(), ": shape is ", ShapeToString(view.shape),
                       "; the config requires ", ShapeToString(spec.shape)));
    }
    if (view.dtype == DType::kOther) {
      return absl::InvalidArgumentError(
          absl::StrCat(view.Where(), ": type is ", view.dtype_name,
                       "; it must be F32, F16 or BF16"));
    }
    return absl::OkStatus();
  });
}

}  // namespace apollo

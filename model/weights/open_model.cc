#include "model/weights/open_model.h"

#include <absl/strings/str_cat.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "common/status_macros.h"
#include "model/weights/check_tensors.h"
#include "model/weights/checkpoint_weights.h"
#include "model/weights/hash_file.h"
#include "model/weights/model_hash.h"
#include "model/weights/packed_weights.h"
#include "model/weights/stored_forms.h"
#include "model/weights/tensor_registry.h"
#include "model/weights/unread_tensors.h"
#include "model/weights/weight_names.h"

namespace apollo {
namespace {

// Returns the name of the first matrix that is not in bf16, or "". The tensors
// must have been checked.
std::string FirstNotInBf16(const ModelConfig& config,
                           const Checkpoint& checkpoint) {
  std::string first;
  VisitTensors(config, [&](const TensorInfo& tensor) {
    if (!IsMatrix(tensor.kind) ||
        checkpoint.Find(tensor.name)->dtype == DType::kBF16) {
      return absl::OkStatus();
    }
    first = tensor.name;
    return absl::CancelledError("found");
  }).IgnoreError();
  return first;
}

}  // namespace

absl::StatusOr<OpenModel> OpenModelDirectory(
    const std::string& directory, std::optional<WeightFormat> format) {
  if (directory.empty()) {
    return absl::InvalidArgumentError("--model is missing: name a directory");
  }
  OpenModel model;
  ASSIGN_OR_RETURN(model.config, LoadModelConfig(directory, &model.warnings));
  if (std::error_code error;
      std::filesystem::exists(directory + "/" + kPackedFile, error)) {
    ASSIGN_OR_RETURN(std::unique_ptr<PackedWeights> packed,
                     PackedWeights::Open(directory, model.config));
    if (format && packed->format() != WeightsName(format)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--weights is ", WeightsName(format), ", but ", directory, "/",
          kPackedFile, " holds ", packed->format()));
    }
    ASSIGN_OR_RETURN(model.format, WeightsByName(packed->format()));
    model.hash = packed->hash();
    model.weights = std::move(packed);
    return model;
  }
  ASSIGN_OR_RETURN(Checkpoint opened, Checkpoint::Open(directory));
  auto checkpoint = std::make_unique<Checkpoint>(std::move(opened));
  RETURN_IF_ERROR(UnifyTensors(model.config, *checkpoint));
  RETURN_IF_ERROR(CheckTensors(model.config, *checkpoint));
  RETURN_IF_ERROR(
      CheckUnreadTensors(model.config, *checkpoint, model.warnings));
  model.format = format;
  if (!format) model.float32_matrix = FirstNotInBf16(model.config, *checkpoint);
  const std::string digest = WeightsDigestOf(*checkpoint);
  if (digest.empty()) {
    return absl::CancelledError("stopped while the weights were hashed");
  }
  model.hash = ModelHash(model.config, digest);
  if (format) absl::StrAppend(&model.hash, "+", WeightsName(format));
  ASSIGN_OR_RETURN(model.weights,
                   CheckpointWeights::Create(std::move(checkpoint), format));
  return model;
}

}  // namespace apollo

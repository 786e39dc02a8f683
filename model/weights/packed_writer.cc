#include "model/weights/packed_writer.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "model/safetensors/writer.h"
#include "model/weights/checkpoint_weights.h"
#include "model/weights/open_model.h"
#include "model/weights/packed_format.h"
#include "model/weights/packed_weights.h"
#include "model/weights/tensor_registry.h"
#include "model/weights/weight_names.h"

namespace apollo {
namespace {

// Returns the spec of a tensor in the file, padded to whole units of 64 bytes.
TensorSpec Spec(std::string name, std::size_t bytes) {
  return {std::move(name),
          DType::kF32,
          {static_cast<std::int64_t>(PaddedBytes(bytes) / sizeof(float))}};
}

absl::Status AppendPadded(SafetensorsWriter& writer, const std::string& name,
                          const void* data, std::size_t bytes) {
  RETURN_IF_ERROR(
      writer.Append(name, {static_cast<const std::uint8_t*>(data), bytes}));
  const std::vector<std::uint8_t> zeros(PaddedBytes(bytes) - bytes);
  return writer.Append(name, zeros);
}

// `source` has the weights of the model.
absl::Status WritePackedWeights(const OpenModel& model,
                                const CheckpointWeights& source,
                                const std::string& config_hash,
                                const std::string& path, ThreadPool& pool,
                                const LoadProgress& progress) {
  // The embedding comes last; with tied embeddings it is the head.
  std::vector<TensorInfo> tensors = AllTensors(model.config);
  std::rotate(tensors.begin(), tensors.begin() + 1, tensors.end());
  const std::vector<std::vector<std::string>> matrices =
      StackedMatrices(tensors);
  std::erase_if(tensors, [](const TensorInfo& t) { return IsMatrix(t.kind); });
  std::vector<TensorSpec> specs = {
      {absl::StrCat(kPackedVersion, "|", model.hash, "|",
                    WeightsName(model.format), "|", config_hash),
       DType::kF32,
       {0}}};
  std::int64_t total = 0, done = 0;
  for (const std::vector<std::string>& names : matrices) {
    ASSIGN_OR_RETURN(const MatrixShape shape, source.Shape(names));
    const std::size_t bytes =
        PackedMatrix::Bytes(shape.outputs, shape.inputs, shape.format);
    specs.push_back(Spec(
        absl::StrCat("matrix|", WeightsName(shape.format), "|", shape.outputs,
                     "|", shape.inputs, "|", absl::StrJoin(names, "|")),
        bytes));
    total += static_cast<std::int64_t>(bytes);
  }
  for (const TensorInfo& tensor : tensors) {
    ASSIGN_OR_RETURN(const std::vector<float> values,
                     source.Vector(tensor.name));
    specs.push_back(
        Spec(absl::StrCat("vector|", values.size(), "|", tensor.name),
             values.size() * sizeof(float)));
  }
  ASSIGN_OR_RETURN(SafetensorsWriter writer,
                   SafetensorsWriter::Create(path, specs));
  auto spec = specs.begin() + 1;
  for (const std::vector<std::string>& names : matrices) {
    ASSIGN_OR_RETURN(const PackedMatrix matrix, source.Matrix(names, pool));
    RETURN_IF_ERROR(
        AppendPadded(writer, spec++->name, matrix.data(), matrix.bytes()));
    done += static_cast<std::int64_t>(matrix.bytes());
    if (progress) progress(done, total);
  }
  for (const TensorInfo& tensor : tensors) {
    ASSIGN_OR_RETURN(const std::vector<float> values,
                     source.Vector(tensor.name));
    RETURN_IF_ERROR(AppendPadded(writer, spec++->name, values.data(),
                                 values.size() * sizeof(float)));
  }
  return writer.Finish();
}

}  // namespace

absl::Status PackModel(const OpenModel& model, const std::string& directory,
                       const std::string& path, ThreadPool& pool,
                       const LoadProgress& progress) {
  const auto* checkpoint =
      dynamic_cast<const CheckpointWeights*>(model.weights.get());
  if (checkpoint == nullptr) {
    return absl::InvalidArgumentError(directory + " is packed already");
  }
  ASSIGN_OR_RETURN(const std::string config_hash,
                   ConfigHash(directory, model.config));
  return WritePackedWeights(model, *checkpoint, config_hash, path, pool,
                            progress);
}

absl::Status PackModel(const std::string& directory,
                       std::optional<WeightFormat> format,
                       const std::string& path, ThreadPool& pool,
                       const LoadProgress& progress) {
  ASSIGN_OR_RETURN(const OpenModel model,
                   OpenModelDirectory(directory, format));
  return PackModel(model, directory, path, pool, progress);
}

}  // namespace apollo

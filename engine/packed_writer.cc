#include "engine/packed_writer.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <memory>
#include <set>
#include <span>
#include <utility>

#include "common/mapped_file.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "engine/weights.h"
#include "model/safetensors/writer.h"
#include "model/weights/checkpoint_weights.h"
#include "model/weights/open_model.h"
#include "model/weights/packed_format.h"
#include "model/weights/packed_weights.h"
#include "model/weights/weight_names.h"

namespace apollo {
namespace {

// Writes down what a loader asks for, and gives it nothing.
class Recorder final : public WeightSource {
 public:
  std::vector<std::string> names() const override { return {}; }
  std::int64_t Bytes(std::string_view /*name*/) const override { return 0; }
  absl::StatusOr<PackedMatrix> Matrix(const std::vector<std::string>& names,
                                      ThreadPool& /*pool*/) const override {
    matrices.push_back(names);
    return PackedMatrix();
  }
  absl::StatusOr<std::vector<float>> Vector(
      const std::string& name) const override {
    vectors.push_back(name);
    return std::vector<float>();
  }
  void Embedding(std::int32_t /*token*/, float* /*row*/) const override {}

  mutable std::vector<std::vector<std::string>> matrices;
  mutable std::vector<std::string> vectors;
};

absl::Status Record(const ModelConfig& config, ThreadPool& pool,
                    Recorder& recorder) {
  WeightLoader loader(config, recorder, pool, 0, nullptr);
  std::set<int> experts;
  for (int e = 0; e < config.num_experts; ++e) experts.insert(e);
  for (int layer = 0; layer < config.num_layers; ++layer) {
    if (config.IsSparse(layer)) {
      RETURN_IF_ERROR(loader.SparseLayer(layer, experts).status());
    } else {
      RETURN_IF_ERROR(loader.DenseLayer(layer).status());
    }
  }
  RETURN_IF_ERROR(loader.Head().status());
  if (!config.tie_word_embeddings) {
    recorder.matrices.push_back({"model.embed_tokens.weight"});
  }
  return absl::OkStatus();
}

// Data of a tensor in the file: so many units of 64 bytes.
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

// `hash` and `format`: what the file says of itself. `config_json`: the file
// that the packed weights will lie beside.
absl::Status WritePackedWeights(const ModelConfig& config,
                                const CheckpointWeights& source,
                                const std::string& hash,
                                const std::string& format,
                                const std::string& config_json,
                                const std::string& path, ThreadPool& pool,
                                const LoadProgress& progress) {
  Recorder wanted;
  RETURN_IF_ERROR(Record(config, pool, wanted));
  ASSIGN_OR_RETURN(const std::string config_hash, FileHash(config_json));
  std::vector<TensorSpec> specs = {
      {absl::StrCat(kPackedVersion, "|", hash, "|", format, "|", config_hash),
       DType::kF32,
       {0}}};
  std::int64_t total = 0, done = 0;
  for (const std::vector<std::string>& names : wanted.matrices) {
    ASSIGN_OR_RETURN(const MatrixShape shape, source.Shape(names));
    const std::size_t bytes =
        PackedMatrix::Bytes(shape.outputs, shape.inputs, shape.format);
    specs.push_back(Spec(
        absl::StrCat("matrix|", WeightsName(shape.format), "|", shape.outputs,
                     "|", shape.inputs, "|", absl::StrJoin(names, "|")),
        bytes));
    total += static_cast<std::int64_t>(bytes);
  }
  for (const std::string& name : wanted.vectors) {
    ASSIGN_OR_RETURN(const std::vector<float> values, source.Vector(name));
    specs.push_back(Spec(absl::StrCat("vector|", values.size(), "|", name),
                         values.size() * sizeof(float)));
  }
  ASSIGN_OR_RETURN(SafetensorsWriter writer,
                   SafetensorsWriter::Create(path, specs));
  auto spec = specs.begin() + 1;
  for (const std::vector<std::string>& names : wanted.matrices) {
    ASSIGN_OR_RETURN(const PackedMatrix matrix, source.Matrix(names, pool));
    RETURN_IF_ERROR(
        AppendPadded(writer, spec++->name, matrix.data(), matrix.bytes()));
    done += static_cast<std::int64_t>(matrix.bytes());
    if (progress) progress(done, total);
  }
  for (const std::string& name : wanted.vectors) {
    ASSIGN_OR_RETURN(const std::vector<float> values, source.Vector(name));
    RETURN_IF_ERROR(AppendPadded(writer, spec++->name, values.data(),
                                 values.size() * sizeof(float)));
  }
  return writer.Finish();
}

}  // namespace

absl::Status PackModel(const std::string& directory,
                       std::optional<WeightFormat> format,
                       const std::string& path, ThreadPool& pool,
                       const LoadProgress& progress) {
  ASSIGN_OR_RETURN(const OpenModel model,
                   OpenModelDirectory(directory, format));
  const auto* checkpoint =
      dynamic_cast<const CheckpointWeights*>(model.weights.get());
  if (checkpoint == nullptr) {
    return absl::InvalidArgumentError(directory + " is packed already");
  }
  return WritePackedWeights(model.config, *checkpoint, model.hash,
                            WeightsName(format), directory + "/config.json",
                            path, pool, progress);
}

}  // namespace apollo

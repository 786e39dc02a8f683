#include "engine/cuda/random_model.h"

#include <absl/status/status.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <utility>

#include "common/status_macros.h"
#include "kernels/half.h"

namespace apollo {
namespace {

// The mean and the standard deviation of a tensor's numbers.
std::pair<float, float> Distribution(WeightKind kind, int inputs) {
  switch (kind) {
    case WeightKind::kAttentionNorm:
    case WeightKind::kQNorm:
    case WeightKind::kKNorm:
    case WeightKind::kMlpNorm:
    case WeightKind::kFinalNorm:
      return {1.0f, 0.1f};
    case WeightKind::kEmbedding:
      return {0.0f, 1.0f};
    case WeightKind::kQkvBias:
    case WeightKind::kOutputBias:
      return {0.0f, 0.5f};
    case WeightKind::kGate:
      // Wide, so that few choices are close.
      return {0.0f, 2.0f / std::sqrt(static_cast<float>(inputs))};
    default:
      return {0.0f, 1.0f / std::sqrt(static_cast<float>(inputs))};
  }
}

}  // namespace

ModelConfig RandomModelConfig() {
  ModelConfig config;
  config.architecture = "random";
  config.hidden_size = 64;
  config.num_layers = 3;
  config.boundary = 1;
  config.intermediate_size = 96;
  config.moe_intermediate_size = 64;
  config.num_heads = 2;
  config.num_kv_heads = 1;
  config.head_size = 32;
  config.num_experts = 7;
  config.experts_per_token = 2;
  config.vocab_size = 131;  // No multiple of anything.
  config.max_context = 512;
  config.rope_theta = 10000;
  config.rms_norm_eps = 1e-6f;
  return config;
}

ModelConfig DenseModelConfig() {
  ModelConfig config = RandomModelConfig();
  config.boundary = config.num_layers - 1;
  config.moe_intermediate_size = 0;
  config.num_experts = 0;
  config.experts_per_token = 0;
  return config;
}

RandomWeights::RandomWeights(const ModelConfig& config, WeightFormat format,
                             unsigned seed)
    : format_(format) {
  for (const TensorInfo& info : AllTensors(config)) Add(info, config, seed);
}

void RandomWeights::Add(const TensorInfo& info, const ModelConfig& config,
                        unsigned seed) {
  const auto size = [&](std::int64_t given) {
    // The registry does not know the width of shared experts.
    return given == 0 ? config.moe_intermediate_size + 32
                      : static_cast<int>(given);
  };
  Tensor tensor;
  tensor.inputs = size(info.shape.back());
  if (info.shape.size() == 2) tensor.outputs = size(info.shape.front());
  std::seed_seq seeds(info.name.begin(), info.name.end());
  std::mt19937 random(seeds);
  random.discard(seed);
  const auto [mean, deviation] = Distribution(info.kind, tensor.inputs);
  std::normal_distribution<float> normal(mean, deviation);
  tensor.numbers.resize(static_cast<std::size_t>(tensor.outputs) *
                        tensor.inputs);
  for (std::uint16_t& number : tensor.numbers) {
    number = Bf16BitsFromF32(normal(random));
  }
  tensors_[info.name] = std::move(tensor);
}

absl::StatusOr<const RandomWeights::Tensor*> RandomWeights::Get(
    const std::string& name) const {
  const auto it = tensors_.find(name);
  if (it == tensors_.end()) return absl::NotFoundError("no tensor " + name);
  return &it->second;
}

std::int64_t RandomWeights::Bytes(std::string_view name) const {
  const auto it = tensors_.find(name);
  return it == tensors_.end()
             ? 0
             : static_cast<std::int64_t>(2 * it->second.numbers.size());
}

absl::StatusOr<MatrixShape> RandomWeights::Shape(
    const std::vector<std::string>& names) const {
  MatrixShape shape;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const Tensor* tensor, Get(name));
    shape.outputs += tensor->outputs;
    shape.inputs = tensor->inputs;
  }
  shape.format = HasRowForEachToken(names[0]) ? InfoOf(format_).head : format_;
  return shape;
}

absl::StatusOr<PackedMatrix> RandomWeights::Matrix(
    const std::vector<std::string>& names, ThreadPool& pool) const {
  ASSIGN_OR_RETURN(const MatrixShape shape, Shape(names));
  std::vector<float> rows(static_cast<std::size_t>(shape.outputs) *
                          shape.inputs);
  RETURN_IF_ERROR(
      ReadRows(names, 0, shape.outputs, WeightFormat::kBF16, pool,
               [&](int row, RowNumbers numbers) {
                 for (int i = 0; i < shape.inputs; ++i) {
                   rows[static_cast<std::size_t>(row) * shape.inputs + i] =
                       F32FromBf16Bits(numbers.bf16[i]);
                 }
               }));
  PackedMatrix matrix(shape.outputs, shape.inputs, shape.format);
  matrix.SetRows(0, shape.outputs, rows.data());
  return matrix;
}

absl::StatusOr<std::vector<float>> RandomWeights::Vector(
    const std::string& name) const {
  ASSIGN_OR_RETURN(const Tensor* tensor, Get(name));
  std::vector<float> values;
  for (const std::uint16_t bits : tensor->numbers) {
    values.push_back(F32FromBf16Bits(bits));
  }
  return values;
}

absl::Status RandomWeights::ReadRows(const std::vector<std::string>& names,
                                     int first, int count, WeightFormat format,
                                     ThreadPool& /*pool*/,
                                     RowVisitor visit) const {
  std::vector<float> f32;
  int row = 0;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const Tensor* tensor, Get(name));
    for (int r = 0; r < tensor->outputs; ++r, ++row) {
      if (row < first || row >= first + count) continue;
      const std::uint16_t* const bf16 =
          &tensor->numbers[static_cast<std::size_t>(r) * tensor->inputs];
      if (format == WeightFormat::kBF16) {
        visit(row, {nullptr, bf16});
        continue;
      }
      f32.resize(tensor->inputs);
      std::transform(bf16, bf16 + tensor->inputs, f32.begin(), F32FromBf16Bits);
      visit(row, {f32.data(), nullptr});
    }
  }
  return absl::OkStatus();
}

void RandomWeights::Embedding(std::int32_t token, float* row) const {
  const Tensor& tensor = tensors_.at(kEmbeddingTensor);
  for (int i = 0; i < tensor.inputs; ++i) {
    row[i] = F32FromBf16Bits(
        tensor.numbers[static_cast<std::size_t>(token) * tensor.inputs + i]);
  }
}

void RandomWeights::Fill(const std::string& name, float value) {
  std::fill(tensors_.at(name).numbers.begin(), tensors_.at(name).numbers.end(),
            Bf16BitsFromF32(value));
}

}  // namespace apollo

#include "engine/cuda/device_weights.h"

#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "engine/rope_frequencies.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/packed_weights.h"
#include "kernels/rope.h"

namespace apollo::cuda {

DeviceWeightLoader::DeviceWeightLoader(const ModelConfig& config,
                                       const WeightSource& source,
                                       ThreadPool& pool, StageDevice& device,
                                       std::size_t bytes,
                                       std::span<const TensorInfo> tensors,
                                       LoadProgress progress)
    : config_(config),
      source_(source),
      device_(device),
      stager_(source, pool, device.stream()),
      memory_(bytes),
      progress_(std::move(progress)) {
  for (const TensorInfo& tensor : tensors) total_ += source.Bytes(tensor.name);
}

void DeviceWeightLoader::Report(const std::string& name) {
  done_ += source_.Bytes(name);
  if (progress_) progress_(done_, total_);
}

absl::StatusOr<OwnedMatrix> DeviceWeightLoader::Matrix(
    std::span<const TensorInfo> tensors, WeightKind kind) {
  const std::vector<std::string> names = NamesOf(tensors, kind);
  ASSIGN_OR_RETURN(const PackedShape shape,
                   PackedShapeOf(source_, tensors, kind));
  OwnedMatrix matrix;
  ASSIGN_OR_RETURN(matrix.memory, memory_.Take(PackedBytes(shape), names[0]));
  RETURN_IF_ERROR(stager_.Pack(names, shape, matrix.memory.as<void>()));
  matrix.matrix = {matrix.memory.as<void>(), shape.outputs, shape.inputs,
                   shape.format, shape.paired};
  for (const std::string& name : names) Report(name);
  return matrix;
}

absl::StatusOr<DeviceVector> DeviceWeightLoader::Numbers(
    std::span<const float> values) {
  DeviceVector vector;
  if (values.empty()) return vector;
  ASSIGN_OR_RETURN(vector.memory, memory_.Take(values.size_bytes(), "weights"));
  RETURN_IF_ERROR(stager_.Copy(values.data(), values.size_bytes(),
                               vector.memory.as<void>()));
  return vector;
}

absl::StatusOr<DeviceRope> DeviceWeightLoader::Rope() {
  const RopeFrequencies frequencies = RopeFrequenciesOf(config_);
  DeviceRope rope;
  ASSIGN_OR_RETURN(rope.inverse, Numbers(frequencies.inverse));
  rope.scale = frequencies.scale;
  return rope;
}

absl::StatusOr<DeviceVector> DeviceWeightLoader::Vector(
    std::span<const TensorInfo> tensors, WeightKind kind) {
  std::vector<float> values;
  const std::vector<std::string> names = NamesOf(tensors, kind);
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const std::vector<float> part, source_.Vector(name));
    values.insert(values.end(), part.begin(), part.end());
  }
  ASSIGN_OR_RETURN(DeviceVector vector, Numbers(values));
  for (const std::string& name : names) Report(name);
  return vector;
}

absl::StatusOr<DeviceEmbedding> DeviceWeightLoader::Embedding() {
  const TensorInfo tensor = EmbeddingTensor(config_);
  const int vocab = config_.vocab_size;
  const int hidden = config_.hidden_size;
  DeviceEmbedding embedding;
  ASSIGN_OR_RETURN(embedding.memory,
                   memory_.Take(sizeof(Bf16) * static_cast<std::size_t>(vocab) *
                                    static_cast<std::size_t>(hidden),
                                "the embedding"));
  RETURN_IF_ERROR(stager_.CopyBf16(tensor.name, vocab, hidden,
                                   embedding.memory.as<void>()));
  Report(tensor.name);
  return embedding;
}

absl::StatusOr<DeviceAttention> DeviceWeightLoader::Attention(int layer) {
  const std::vector<TensorInfo> tensors = AttentionTensors(config_, layer);
  DeviceAttention w;
  ASSIGN_OR_RETURN(w.norm, Vector(tensors, WeightKind::kAttentionNorm));
  ASSIGN_OR_RETURN(w.qkv, Matrix(tensors, WeightKind::kQkv));
  ASSIGN_OR_RETURN(w.qkv_bias, Vector(tensors, WeightKind::kQkvBias));
  ASSIGN_OR_RETURN(w.q_norm, Vector(tensors, WeightKind::kQNorm));
  ASSIGN_OR_RETURN(w.k_norm, Vector(tensors, WeightKind::kKNorm));
  ASSIGN_OR_RETURN(w.output, Matrix(tensors, WeightKind::kAttentionOutput));
  ASSIGN_OR_RETURN(w.output_bias, Vector(tensors, WeightKind::kOutputBias));
  ASSIGN_OR_RETURN(w.mlp_norm, Vector(tensors, WeightKind::kMlpNorm));
  return w;
}

absl::StatusOr<DeviceMlp> DeviceWeightLoader::Mlp(int layer, int expert) {
  const std::vector<TensorInfo> tensors = MlpTensors(config_, layer, expert);
  DeviceMlp w;
  ASSIGN_OR_RETURN(w.gate_up, Matrix(tensors, WeightKind::kGateUp));
  ASSIGN_OR_RETURN(w.down, Matrix(tensors, WeightKind::kDown));
  return w;
}

absl::StatusOr<DeviceDenseLayer> DeviceWeightLoader::DenseLayer(int layer) {
  APOLLO_CHECK(!config_.IsSparse(layer));
  DeviceDenseLayer w;
  ASSIGN_OR_RETURN(w.attention, Attention(layer));
  ASSIGN_OR_RETURN(w.mlp, Mlp(layer, kNoExpert));
  return w;
}

absl::StatusOr<DeviceExperts> DeviceWeightLoader::Experts(
    int layer, const std::set<int>& experts) {
  const auto count = static_cast<std::size_t>(config_.num_experts);
  DeviceExperts w;
  std::vector<const void*> addresses(2 * count);  // gate_up, then down.
  for (const int e : experts) {
    APOLLO_CHECK(e >= 0 && e < config_.num_experts);
    ASSIGN_OR_RETURN(DeviceMlp mlp, Mlp(layer, e));
    addresses[static_cast<std::size_t>(e)] = mlp.gate_up.matrix.data;
    addresses[count + static_cast<std::size_t>(e)] = mlp.down.matrix.data;
    w.gate_up = mlp.gate_up.matrix;
    w.down = mlp.down.matrix;
    w.resident.push_back(std::move(mlp));
  }
  w.gate_up.data = nullptr;
  w.down.data = nullptr;
  const std::size_t bytes = addresses.size() * sizeof(void*);
  ASSIGN_OR_RETURN(w.tables, memory_.Take(bytes, "addresses of experts"));
  RETURN_IF_ERROR(stager_.Copy(addresses.data(), bytes, w.tables.as<void>()));
  w.gate_up_of = w.tables.as<const void*>();
  w.down_of = w.gate_up_of + count;
  return w;
}

absl::StatusOr<DeviceSparseLayer> DeviceWeightLoader::SparseLayer(
    int layer, const std::set<int>& experts) {
  APOLLO_CHECK(config_.IsSparse(layer));
  const std::vector<TensorInfo> router = RouterTensors(config_, layer);
  DeviceSparseLayer w;
  ASSIGN_OR_RETURN(w.attention, Attention(layer));
  ASSIGN_OR_RETURN(w.gate, Vector(router, WeightKind::kGate));
  ASSIGN_OR_RETURN(w.experts, Experts(layer, experts));
  if (config_.shared_expert) {
    ASSIGN_OR_RETURN(w.shared, Mlp(layer, kTheSharedExpert));
    ASSIGN_OR_RETURN(w.shared_gate, Vector(router, WeightKind::kSharedGate));
  }
  return w;
}

absl::StatusOr<DeviceHead> DeviceWeightLoader::Head() {
  const std::vector<TensorInfo> tensors = HeadTensors(config_);
  DeviceHead w;
  ASSIGN_OR_RETURN(w.norm, Vector(tensors, WeightKind::kFinalNorm));
  ASSIGN_OR_RETURN(w.output, Matrix(tensors, WeightKind::kHead));
  return w;
}

absl::Status DeviceWeightLoader::Finish() {
  return CudaStatus(cudaStreamSynchronize(device_.stream()), "loading weights");
}

}  // namespace apollo::cuda

#include "engine/weights.h"

#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "common/stop_request.h"

namespace apollo {

WeightLoader::WeightLoader(const ModelConfig& config,
                           const WeightSource& source, ThreadPool& pool,
                           std::int64_t total, LoadProgress progress)
    : config_(config),
      source_(source),
      pool_(pool),
      total_(total),
      progress_(std::move(progress)) {}

void WeightLoader::Report(const std::string& name) {
  done_ += source_.Bytes(name);
  if (progress_) progress_(done_, total_);
}

absl::StatusOr<PackedMatrix> WeightLoader::Matrix(
    std::span<const TensorInfo> tensors, WeightKind kind) {
  if (StopRequested()) {
    return absl::CancelledError("stopped while weights were loaded");
  }
  const std::vector<std::string> names = NamesOf(tensors, kind);
  ASSIGN_OR_RETURN(PackedMatrix matrix, source_.Matrix(names, pool_));
  for (const std::string& name : names) Report(name);
  return matrix;
}

absl::StatusOr<std::vector<float>> WeightLoader::Vector(
    std::span<const TensorInfo> tensors, WeightKind kind) {
  std::vector<float> values;
  for (const std::string& name : NamesOf(tensors, kind)) {
    ASSIGN_OR_RETURN(const std::vector<float> part, source_.Vector(name));
    values.insert(values.end(), part.begin(), part.end());
    Report(name);
  }
  return values;
}

absl::StatusOr<AttentionWeights> WeightLoader::Attention(int layer) {
  const std::vector<TensorInfo> tensors = AttentionTensors(config_, layer);
  AttentionWeights w;
  ASSIGN_OR_RETURN(w.norm, Vector(tensors, WeightKind::kAttentionNorm));
  ASSIGN_OR_RETURN(w.qkv, Matrix(tensors, WeightKind::kQkv));
  ASSIGN_OR_RETURN(w.qkv_bias, Vector(tensors, WeightKind::kQkvBias));
  ASSIGN_OR_RETURN(w.output, Matrix(tensors, WeightKind::kAttentionOutput));
  ASSIGN_OR_RETURN(w.mlp_norm, Vector(tensors, WeightKind::kMlpNorm));
  return w;
}

absl::StatusOr<MlpWeights> WeightLoader::Mlp(int layer, int expert) {
  const std::vector<TensorInfo> tensors = MlpTensors(config_, layer, expert);
  MlpWeights w;
  ASSIGN_OR_RETURN(w.gate_up, Matrix(tensors, WeightKind::kGateUp));
  ASSIGN_OR_RETURN(w.down, Matrix(tensors, WeightKind::kDown));
  return w;
}

absl::StatusOr<DenseLayerWeights> WeightLoader::DenseLayer(int layer) {
  APOLLO_CHECK(!config_.IsSparse(layer));
  DenseLayerWeights w;
  ASSIGN_OR_RETURN(w.attention, Attention(layer));
  ASSIGN_OR_RETURN(w.mlp, Mlp(layer, kNoExpert));
  return w;
}

absl::StatusOr<SparseLayerWeights> WeightLoader::SparseLayer(
    int layer, const std::set<int>& experts) {
  APOLLO_CHECK(config_.IsSparse(layer));
  const std::vector<TensorInfo> router = RouterTensors(config_, layer);
  SparseLayerWeights w;
  ASSIGN_OR_RETURN(w.attention, Attention(layer));
  ASSIGN_OR_RETURN(w.gate, Vector(router, WeightKind::kGate));
  for (const int e : experts) {
    ASSIGN_OR_RETURN(w.experts[e], Mlp(layer, e));
  }
  if (config_.shared_expert) {
    ASSIGN_OR_RETURN(w.shared, Mlp(layer, kTheSharedExpert));
    ASSIGN_OR_RETURN(w.shared_gate, Vector(router, WeightKind::kSharedGate));
  }
  return w;
}

absl::StatusOr<HeadWeights> WeightLoader::Head() {
  const std::vector<TensorInfo> tensors = HeadTensors(config_);
  HeadWeights w;
  ASSIGN_OR_RETURN(w.norm, Vector(tensors, WeightKind::kFinalNorm));
  ASSIGN_OR_RETURN(w.output, Matrix(tensors, WeightKind::kHead));
  return w;
}

std::int64_t SourceBytes(const WeightSource& source,
                         std::span<const TensorInfo> tensors) {
  std::int64_t bytes = 0;
  for (const TensorInfo& tensor : tensors) bytes += source.Bytes(tensor.name);
  return bytes;
}

}  // namespace apollo

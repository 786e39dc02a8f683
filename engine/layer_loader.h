#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <set>
#include <span>
#include <vector>

#include "common/check.h"
#include "common/status_macros.h"
#include "common/stop_request.h"
#include "model/config/model_config.h"
#include "model/weights/tensor_registry.h"

namespace apollo {

// The walk over the tensors of layers that loads their weights, for any device.
// `Weights` names the structs of a device: Attention, Mlp, DenseLayer,
// SparseLayer and Head, with the members that are assigned here. `Loader`
// derives from this class and loads the parts, each after CheckNotStopped if it
// takes long:
//   Matrix(tensors, kind): the tensors of a kind, stacked by rows;
//   Vector(tensors, kind): the same as float32, empty if there are none;
//   Experts(layer, experts): the MLPs of these experts.
// Errors are those of the parts.
template <typename Loader, typename Weights>
class LayerLoader {
 public:
  using Attention = typename Weights::Attention;
  using Mlp = typename Weights::Mlp;
  using Dense = typename Weights::DenseLayer;
  using Sparse = typename Weights::SparseLayer;
  using OutputHead = typename Weights::Head;

  absl::StatusOr<Dense> DenseLayer(int layer) {
    APOLLO_CHECK(!config_.IsSparse(layer));
    Dense w;
    ASSIGN_OR_RETURN(w.attention, LoadAttention(layer));
    ASSIGN_OR_RETURN(w.mlp, LoadMlp(layer, kNoExpert));
    return w;
  }

  absl::StatusOr<Sparse> SparseLayer(int layer, const std::set<int>& experts) {
    APOLLO_CHECK(config_.IsSparse(layer));
    const std::vector<TensorInfo> router = RouterTensors(config_, layer);
    Sparse w;
    ASSIGN_OR_RETURN(w.attention, LoadAttention(layer));
    ASSIGN_OR_RETURN(w.gate, loader().Vector(router, WeightKind::kGate));
    ASSIGN_OR_RETURN(w.experts, loader().Experts(layer, experts));
    if (config_.shared_expert) {
      ASSIGN_OR_RETURN(w.shared, LoadMlp(layer, kTheSharedExpert));
      ASSIGN_OR_RETURN(w.shared_gate,
                       loader().Vector(router, WeightKind::kSharedGate));
    }
    return w;
  }

  absl::StatusOr<OutputHead> Head() {
    const std::vector<TensorInfo> tensors = HeadTensors(config_);
    OutputHead w;
    ASSIGN_OR_RETURN(w.norm, loader().Vector(tensors, WeightKind::kFinalNorm));
    ASSIGN_OR_RETURN(w.output, loader().Matrix(tensors, WeightKind::kHead));
    return w;
  }

 protected:
  // The config must outlive the loader.
  explicit LayerLoader(const ModelConfig& config) : config_(config) {}

  const ModelConfig& config() const { return config_; }

  // Returns CANCELLED if the process is asked to stop (StopRequested).
  static absl::Status CheckNotStopped() {
    if (!StopRequested()) return absl::OkStatus();
    return absl::CancelledError("stopped while weights were loaded");
  }

  // Loads a dense MLP, that of an expert, or that of the shared expert
  // (MlpTensors).
  absl::StatusOr<Mlp> LoadMlp(int layer, int expert) {
    const std::vector<TensorInfo> tensors = MlpTensors(config_, layer, expert);
    Mlp w;
    ASSIGN_OR_RETURN(w.gate_up, loader().Matrix(tensors, WeightKind::kGateUp));
    ASSIGN_OR_RETURN(w.down, loader().Matrix(tensors, WeightKind::kDown));
    return w;
  }

 private:
  absl::StatusOr<Attention> LoadAttention(int layer) {
    const std::vector<TensorInfo> tensors = AttentionTensors(config_, layer);
    Attention w;
    ASSIGN_OR_RETURN(w.norm,
                     loader().Vector(tensors, WeightKind::kAttentionNorm));
    ASSIGN_OR_RETURN(w.qkv, loader().Matrix(tensors, WeightKind::kQkv));
    ASSIGN_OR_RETURN(w.qkv_bias,
                     loader().Vector(tensors, WeightKind::kQkvBias));
    ASSIGN_OR_RETURN(w.q_norm, loader().Vector(tensors, WeightKind::kQNorm));
    ASSIGN_OR_RETURN(w.k_norm, loader().Vector(tensors, WeightKind::kKNorm));
    ASSIGN_OR_RETURN(w.output,
                     loader().Matrix(tensors, WeightKind::kAttentionOutput));
    ASSIGN_OR_RETURN(w.output_bias,
                     loader().Vector(tensors, WeightKind::kOutputBias));
    ASSIGN_OR_RETURN(w.mlp_norm,
                     loader().Vector(tensors, WeightKind::kMlpNorm));
    return w;
  }

  Loader& loader() { return static_cast<Loader&>(*this); }

  const ModelConfig& config_;
};

}  // namespace apollo

#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "common/thread_pool.h"
#include "engine/layer_loader.h"
#include "engine/load_count.h"  // IWYU pragma: export
#include "kernels/packed_matrix.h"
#include "model/config/model_config.h"
#include "model/weights/load_progress.h"
#include "model/weights/tensor_registry.h"
#include "model/weights/weight_source.h"

namespace apollo {

// A SwiGLU MLP: down(silu(gate x) * up x).
struct MlpWeights {
  PackedMatrix gate_up;  // [2 * inner, hidden]: gate's outputs, then up's.
  PackedMatrix down;     // [hidden, inner]
  int inner() const { return down.inputs(); }
};

struct AttentionWeights {
  std::vector<float> norm;         // [hidden], before attention.
  PackedMatrix qkv;                // [q_size + 2 kv_size, hidden]
  std::vector<float> qkv_bias;     // [q_size + 2 kv_size], or empty.
  std::vector<float> q_norm;       // [head_size], or empty.
  std::vector<float> k_norm;       // [head_size], or empty.
  PackedMatrix output;             // [hidden, q_size]
  std::vector<float> output_bias;  // [hidden], or empty.
  std::vector<float> mlp_norm;     // [hidden], before the MLP.
};

struct DenseLayerWeights {
  AttentionWeights attention;
  MlpWeights mlp;
};

struct SparseLayerWeights {
  AttentionWeights attention;
  std::vector<float> gate;            // [experts, hidden]
  std::map<int, MlpWeights> experts;  // Resident experts only.
  MlpWeights shared;                  // Only if the model has a shared expert.
  std::vector<float> shared_gate;     // [hidden]; only with a shared expert.
};

struct HeadWeights {
  std::vector<float> norm;  // [hidden]
  PackedMatrix output;      // [vocab, hidden]
};

// The structs above, for LayerLoader.
struct HostWeights {
  using Attention = AttentionWeights;
  using Mlp = MlpWeights;
  using DenseLayer = DenseLayerWeights;
  using SparseLayer = SparseLayerWeights;
  using Head = HeadWeights;
};

// Loads the weights of layers and reports progress.
class WeightLoader final : public LayerLoader<WeightLoader, HostWeights> {
 public:
  // The arguments held by reference must outlive the loader, and the source
  // must outlive the loaded weights. `total` is the total that progress
  // reports.
  WeightLoader(const ModelConfig& config, const WeightSource& source,
               ThreadPool& pool, std::int64_t total, LoadProgress progress);

 private:
  friend class LayerLoader<WeightLoader, HostWeights>;

  // Loads tensors of one kind and stacks their rows into one matrix.
  absl::StatusOr<PackedMatrix> Matrix(std::span<const TensorInfo> tensors,
                                      WeightKind kind);
  absl::StatusOr<std::vector<float>> Vector(std::span<const TensorInfo> tensors,
                                            WeightKind kind);
  absl::StatusOr<std::map<int, MlpWeights>> Experts(
      int layer, const std::set<int>& experts);

  const WeightSource& source_;
  ThreadPool& pool_;
  LoadCount count_;
};

}  // namespace apollo

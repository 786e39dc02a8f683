#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "common/thread_pool.h"
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

// Loads the weights of layers and reports progress.
class WeightLoader {
 public:
  // The arguments held by reference must outlive the loader, and the source
  // must outlive the loaded weights. `total` is the total that progress
  // reports.
  WeightLoader(const ModelConfig& config, const WeightSource& source,
               ThreadPool& pool, std::int64_t total, LoadProgress progress);

  absl::StatusOr<DenseLayerWeights> DenseLayer(int layer);
  absl::StatusOr<SparseLayerWeights> SparseLayer(int layer,
                                                 const std::set<int>& experts);
  absl::StatusOr<HeadWeights> Head();

 private:
  absl::StatusOr<AttentionWeights> Attention(int layer);
  absl::StatusOr<MlpWeights> Mlp(int layer, int expert);
  // Loads tensors of one kind and stacks their rows into one matrix.
  absl::StatusOr<PackedMatrix> Matrix(std::span<const TensorInfo> tensors,
                                      WeightKind kind);
  absl::StatusOr<std::vector<float>> Vector(std::span<const TensorInfo> tensors,
                                            WeightKind kind);
  void Report(const std::string& name);

  const ModelConfig& config_;
  const WeightSource& source_;
  ThreadPool& pool_;
  const std::int64_t total_;
  const LoadProgress progress_;
  std::int64_t done_ = 0;
};

// Returns the size of the tensors in the source, in bytes.
std::int64_t SourceBytes(const WeightSource& source,
                         std::span<const TensorInfo> tensors);

}  // namespace apollo

#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <set>
#include <span>
#include <vector>

#include "common/thread_pool.h"
#include "engine/cuda/matrix_stager.h"
#include "engine/cuda/stage_device.h"
#include "engine/cuda/weight_bytes.h"  // IWYU pragma: export
#include "engine/cuda/weight_memory.h"
#include "engine/layer_loader.h"
#include "engine/load_count.h"
#include "kernels/cuda/cache.h"
#include "kernels/cuda/types.h"
#include "model/config/model_config.h"
#include "model/weights/load_progress.h"
#include "model/weights/tensor_registry.h"
#include "model/weights/weight_source.h"

// The weights of layers in the memory of a device. The structs keep the
// memory that their pointers refer to.
namespace apollo::cuda {

// Float32 numbers; null if there are none.
struct DeviceVector {
  WeightPart memory;
  const float* get() const { return memory.as<float>(); }
};

// The frequencies of the rotation.
struct DeviceRope {
  DeviceVector inverse;  // [head_size / 2]
  float scale = 1;
  RotaryFrequencies get() const { return {inverse.get(), scale}; }
};

// A packed matrix.
struct OwnedMatrix {
  WeightPart memory;
  DeviceMatrix matrix;
};

// A SwiGLU MLP: down(silu(gate x) * up x).
struct DeviceMlp {
  OwnedMatrix gate_up;  // [2 * inner, hidden], paired.
  OwnedMatrix down;     // [hidden, inner]
  int inner() const { return down.matrix.inputs; }
};

struct DeviceAttention {
  DeviceVector norm;         // [hidden], before attention.
  OwnedMatrix qkv;           // [q_size + 2 kv_size, hidden]
  DeviceVector qkv_bias;     // [q_size + 2 kv_size], or null.
  DeviceVector q_norm;       // [head_size], or null.
  DeviceVector k_norm;       // [head_size], or null.
  OwnedMatrix output;        // [hidden, q_size]
  DeviceVector output_bias;  // [hidden], or null.
  DeviceVector mlp_norm;     // [hidden], before the MLP.
};

struct DeviceDenseLayer {
  DeviceAttention attention;
  DeviceMlp mlp;
};

// The experts of a layer, as GroupedProduct takes them
// (kernels/cuda/product.h).
struct DeviceExperts {
  std::vector<DeviceMlp> resident;  // In rising order of the experts.
  DeviceMatrix gate_up;             // The shapes of each; no data.
  DeviceMatrix down;
  // Addresses in device memory, [num_experts] each; null for absent experts.
  const void* const* gate_up_of = nullptr;
  const void* const* down_of = nullptr;
  WeightPart tables;  // Holds them.
};

struct DeviceSparseLayer {
  DeviceAttention attention;
  DeviceVector gate;  // [experts, hidden]
  DeviceExperts experts;
  DeviceMlp shared;          // Only if the model has a shared expert.
  DeviceVector shared_gate;  // [hidden]; only with a shared expert.
};

struct DeviceHead {
  DeviceVector norm;   // [hidden]
  OwnedMatrix output;  // [vocab, hidden]
};

// The embedding, in bf16 whatever the format of the weights.
struct DeviceEmbedding {
  WeightPart memory;
  const Bf16* get() const { return memory.as<Bf16>(); }  // [vocab, hidden]
};

// The structs above, for LayerLoader.
struct DeviceWeights {
  using Attention = DeviceAttention;
  using Mlp = DeviceMlp;
  using DenseLayer = DeviceDenseLayer;
  using SparseLayer = DeviceSparseLayer;
  using Head = DeviceHead;
};

// Loads the weights of layers and reports progress. Matrices are packed by the
// threads of the pool, some rows at a time, so little memory of the host is
// used. Everything is complete on the device when Finish returns OK.
class DeviceWeightLoader final
    : public LayerLoader<DeviceWeightLoader, DeviceWeights> {
 public:
  // The arguments held by reference must outlive the loader. `bytes`: the
  // memory of all weights (weight_bytes.h), which is allocated at once.
  // `tensors` are all that will be loaded: progress is relative to their bytes
  // in the source.
  DeviceWeightLoader(const ModelConfig& config, const WeightSource& source,
                     ThreadPool& pool, StageDevice& device, std::size_t bytes,
                     std::span<const TensorInfo> tensors,
                     LoadProgress progress);

  // Errors, also of the layers and the head: those of the source, which name a
  // tensor; RESOURCE_EXHAUSTED without memory; CANCELLED if the process is
  // asked to stop meanwhile; an error of the device.
  absl::StatusOr<DeviceEmbedding> Embedding();

  // Computes the frequencies (engine/rope_frequencies.h) and copies them.
  absl::StatusOr<DeviceRope> Rope();

  // Waits until all copies are complete.
  absl::Status Finish();

 private:
  friend class LayerLoader<DeviceWeightLoader, DeviceWeights>;

  absl::StatusOr<DeviceVector> Numbers(std::span<const float> values);
  absl::StatusOr<OwnedMatrix> Matrix(std::span<const TensorInfo> tensors,
                                     WeightKind kind);
  absl::StatusOr<DeviceVector> Vector(std::span<const TensorInfo> tensors,
                                      WeightKind kind);
  absl::StatusOr<DeviceExperts> Experts(int layer,
                                        const std::set<int>& experts);

  const WeightSource& source_;
  StageDevice& device_;
  MatrixStager stager_;
  WeightMemory memory_;
  LoadCount count_;
};

}  // namespace apollo::cuda

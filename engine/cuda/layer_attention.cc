#include "engine/cuda/layer_attention.h"

#include <algorithm>

#include "common/status_macros.h"
#include "engine/cache_size.h"
#include "engine/cuda/device_cache.h"
#include "engine/cuda/memory_layout.h"
#include "kernels/cuda/attention.h"
#include "kernels/cuda/rows.h"

namespace apollo::cuda {
namespace {

// Memory for the splits of attention. Decoding uses it for long contexts; with
// so many sequences that it does not suffice, attention without splits fills a
// GPU, too.
constexpr std::size_t kAttentionBytes = 64 << 20;

// Divides the memory of `scratch` into its arrays, and returns its size.
std::size_t Divide(const ModelConfig& config, const BatchLimits& limits,
                   int inner, std::byte* memory, LayerScratch& scratch) {
  const HeadShape shape = HeadShapeOf(config);
  const auto rows = static_cast<std::size_t>(limits.rows);
  const auto numbers = [&](int size) {
    return rows * static_cast<std::size_t>(size);
  };
  MemoryLayout layout(memory);
  scratch.normed = layout.Array<Bf16>(numbers(config.hidden_size));
  scratch.qkv = layout.Array<float>(numbers(shape.qkv_size()));
  scratch.q = layout.Array<Bf16>(numbers(shape.q_size()));
  scratch.mixed = layout.Array<Bf16>(numbers(shape.q_size()));
  scratch.active = layout.Array<Bf16>(numbers(inner));
  scratch.workspace = layout.Array<float>(
      AttentionWorkspaceBytes(shape, limits.max_slots) / sizeof(float));
  return layout.bytes();
}

}  // namespace

BatchLimits BatchLimitsOf(const ModelConfig& config, int rows, int blocks) {
  const HeadShape shape = HeadShapeOf(config);
  BatchLimits limits;
  limits.rows = rows;
  limits.blocks = std::min(blocks, BlocksFor(config.max_context));
  limits.group = shape.group();
  limits.max_slots =
      static_cast<int>(kAttentionBytes / AttentionWorkspaceBytes(shape, 1));
  return limits;
}

std::size_t LayerScratch::Bytes(const ModelConfig& config,
                                const BatchLimits& limits, int inner) {
  LayerScratch none;
  return Divide(config, limits, inner, nullptr, none);
}

absl::StatusOr<LayerScratch> LayerScratch::Allocate(const ModelConfig& config,
                                                    const BatchLimits& limits,
                                                    int inner) {
  LayerScratch scratch;
  ASSIGN_OR_RETURN(scratch.memory_, AllocateDevice(Bytes(config, limits, inner),
                                                   "intermediate results"));
  Divide(config, limits, inner, scratch.memory_.as<std::byte>(), scratch);
  return scratch;
}

absl::Status RunAttention(const ModelConfig& config,
                          const DeviceAttention& weights,
                          const DeviceBatch& batch, const CacheLayer& cache,
                          float* residual, const LayerScratch& scratch,
                          Bf16* normed, cudaStream_t stream) {
  const HeadShape shape = HeadShapeOf(config);
  const int hidden = config.hidden_size;
  RETURN_IF_ERROR(RmsNorm(residual, nullptr, batch.rows, hidden,
                          weights.norm.get(), config.rms_norm_eps,
                          scratch.normed, stream));
  Product qkv;
  qkv.w = weights.qkv.matrix;
  qkv.x = scratch.normed;
  qkv.x_stride = hidden;
  qkv.rows = batch.rows;
  qkv.out = scratch.qkv;
  qkv.out_stride = shape.qkv_size();
  RETURN_IF_ERROR(Run(qkv, stream));
  const HeadNorms norms = {weights.q_norm.get(), weights.k_norm.get(),
                           config.rms_norm_eps};
  RETURN_IF_ERROR(RotateAndStore(shape, scratch.qkv, weights.qkv_bias.get(),
                                 norms, batch.angles, batch.slots, batch.rows,
                                 cache, scratch.q, stream));
  Attention attention;
  attention.shape = shape;
  attention.q = scratch.q;
  attention.cache = cache;
  attention.tables = batch.tables;
  attention.tasks = batch.tasks;
  attention.direct = batch.direct;
  attention.split = batch.split;
  attention.merge = batch.merge;
  attention.workspace = scratch.workspace;
  attention.out = scratch.mixed;
  RETURN_IF_ERROR(Run(attention, stream));
  Product output;
  output.w = weights.output.matrix;
  output.x = scratch.mixed;
  output.x_stride = shape.q_size();
  output.rows = batch.rows;
  output.epilogue = Epilogue::kAdd;
  output.out = residual;
  output.out_stride = hidden;
  RETURN_IF_ERROR(Run(output, stream));
  if (weights.output_bias.get() != nullptr) {
    RETURN_IF_ERROR(AddBias(weights.output_bias.get(), batch.rows, hidden,
                            residual, stream));
  }
  return RmsNorm(residual, nullptr, batch.rows, hidden, weights.mlp_norm.get(),
                 config.rms_norm_eps, normed, stream);
}

absl::Status RunMlp(const DeviceMlp& mlp, const Bf16* x, int rows, Bf16* active,
                    Epilogue epilogue, float* out, cudaStream_t stream) {
  const int hidden = mlp.gate_up.matrix.inputs;
  Product gate_up;
  gate_up.w = mlp.gate_up.matrix;
  gate_up.x = x;
  gate_up.x_stride = hidden;
  gate_up.rows = rows;
  gate_up.epilogue = Epilogue::kSwiGluBf16;
  gate_up.out = active;
  gate_up.out_stride = mlp.inner();
  RETURN_IF_ERROR(Run(gate_up, stream));
  Product down;
  down.w = mlp.down.matrix;
  down.x = active;
  down.x_stride = mlp.inner();
  down.rows = rows;
  down.epilogue = epilogue;
  down.out = out;
  down.out_stride = hidden;
  return Run(down, stream);
}

}  // namespace apollo::cuda

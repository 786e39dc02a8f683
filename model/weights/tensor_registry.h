#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/layer_experts.h"
#include "model/config/model_config.h"

// Names, shapes and uses of all tensors of a model, derived from its config.
// Code that checks, loads, packs, counts or writes tensors uses this registry;
// no other code knows their names.
namespace apollo {

// Tensor of the embedding, and of the head if they are tied.
inline constexpr char kEmbeddingTensor[] = "model.embed_tokens.weight";
// Tensor of the head, unless it is tied to the embedding.
inline constexpr char kHeadTensor[] = "lm_head.weight";

// The weight of a stage that a tensor is part of. Tensors of the same kind,
// layer and expert are stacked by rows, in the order of the registry.
enum class WeightKind {
  kEmbedding,        // [vocab, hidden]
  kAttentionNorm,    // [hidden]
  kQkv,              // [q_size + 2 kv_size, hidden]
  kQkvBias,          // [q_size + 2 kv_size]
  kQNorm,            // [head_size], of each head of the queries
  kKNorm,            // [head_size], of each head of the keys
  kAttentionOutput,  // [hidden, q_size]
  kOutputBias,       // [hidden], of the output of attention
  kMlpNorm,          // [hidden]
  kGate,             // [experts, hidden]
  kSharedGate,       // [1, hidden]
  kGateUp,           // [2 * inner, hidden]
  kDown,             // [hidden, inner]
  kFinalNorm,        // [hidden]
  kHead,             // [vocab, hidden]
};

// Returns true for weights that are matrices of a format
// (kernels/weight_format.h). All others are always float32.
bool IsMatrix(WeightKind kind);

inline constexpr int kNoLayer = -1;          // The embedding and the head.
inline constexpr int kNoExpert = -1;         // Used by all tokens.
inline constexpr int kTheSharedExpert = -2;  // Also used by all tokens.

struct TensorInfo {
  std::string name;                 // As in the checkpoint.
  std::vector<std::int64_t> shape;  // 0: the width of the shared expert.
  WeightKind kind = WeightKind::kEmbedding;
  int layer = kNoLayer;
  int expert = kNoExpert;  // kTheSharedExpert or an index below num_experts.
};

// Return the tensors of one part of a model. MlpTensors takes kNoExpert for the
// MLP of a dense layer. Only sparse layers have a router. With tied embeddings
// the head lists the tensor of the embedding, as kHead.
TensorInfo EmbeddingTensor(const ModelConfig& config);
std::vector<TensorInfo> AttentionTensors(const ModelConfig& config, int layer);
std::vector<TensorInfo> RouterTensors(const ModelConfig& config, int layer);
std::vector<TensorInfo> MlpTensors(const ModelConfig& config, int layer,
                                   int expert);
std::vector<TensorInfo> HeadTensors(const ModelConfig& config);

// Return the tensors that a stage needs. The dense stage needs the embedding
// and the layers before the boundary; the expert stage needs those after it,
// with its resident experts, and the head.
std::vector<TensorInfo> DenseStageTensors(const ModelConfig& config);
std::vector<TensorInfo> ExpertStageTensors(const ModelConfig& config,
                                           const LayerExperts& experts);

// Calls `visit` with every tensor of a checkpoint, in the order of the forward
// pass, and returns the first error. Stops there, because a small config may
// declare millions of tensors that do not exist.
absl::Status VisitTensors(const ModelConfig& config,
                          absl::FunctionRef<absl::Status(TensorInfo)> visit);

// Returns all tensors of VisitTensors. For configs whose tensors are known to
// exist.
std::vector<TensorInfo> AllTensors(const ModelConfig& config);

// Returns the names of the tensors of a kind, in order.
std::vector<std::string> NamesOf(std::span<const TensorInfo> tensors,
                                 WeightKind kind);

// Returns the names of the tensors of each matrix, in the order in which the
// matrices begin.
std::vector<std::vector<std::string>> StackedMatrices(
    std::span<const TensorInfo> tensors);

// Returns true for tensors with one row per token: the embedding and the head.
bool HasRowForEachToken(std::string_view tensor);

}  // namespace apollo

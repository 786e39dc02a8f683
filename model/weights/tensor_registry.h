#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/config/model_config.h"

// Names, shapes and purposes of all tensors of a model, which follow from its
// config alone. Whoever checks, loads, packs, counts or writes tensors asks
// here; nothing else knows their names.
namespace apollo {

// Tensor of the embedding, which also is the head where they are tied.
inline constexpr char kEmbeddingTensor[] = "model.embed_tokens.weight";

// The weight, as a stage uses it, that a tensor is a part of. Tensors of the
// same kind, layer and expert are stacked, row after row, in the order in which
// the registry lists them.
enum class WeightKind {
  kEmbedding,        // [vocab, hidden]
  kAttentionNorm,    // [hidden]
  kQkv,              // [q_size + 2 kv_size, hidden]
  kQkvBias,          // [q_size + 2 kv_size]
  kAttentionOutput,  // [hidden, q_size]
  kMlpNorm,          // [hidden]
  kGate,             // [experts, hidden]
  kSharedGate,       // [1, hidden]
  kGateUp,           // [2 * inner, hidden]
  kDown,             // [hidden, inner]
  kFinalNorm,        // [hidden]
  kHead,             // [vocab, hidden]
};

// Returns true for weights that are matrices of a format
// (kernels/weight_format.h); the others are float32 in every format.
bool IsMatrix(WeightKind kind);

inline constexpr int kNoLayer = -1;          // The embedding and the head.
inline constexpr int kNoExpert = -1;         // Used by all tokens.
inline constexpr int kTheSharedExpert = -2;  // Also used by all tokens.

struct TensorInfo {
  std::string name;                 // In the checkpoint.
  std::vector<std::int64_t> shape;  // 0: the shared expert's width.
  WeightKind kind = WeightKind::kEmbedding;
  int layer = kNoLayer;
  int expert = kNoExpert;  // Or kTheSharedExpert, or below num_experts.
};

// Each returns the tensors of one part of a model. A layer's MLP is that of
// `expert`, kNoExpert in a dense layer; only sparse layers have a router. With
// tied embeddings the head lists the embedding's tensor, as kHead.
TensorInfo EmbeddingTensor(const ModelConfig& config);
std::vector<TensorInfo> AttentionTensors(const ModelConfig& config, int layer);
std::vector<TensorInfo> RouterTensors(const ModelConfig& config, int layer);
std::vector<TensorInfo> MlpTensors(const ModelConfig& config, int layer,
                                   int expert);
std::vector<TensorInfo> HeadTensors(const ModelConfig& config);

// Each returns the tensors that a stage needs: the dense stage needs the
// embedding and the dense layers, the expert stage the sparse layers, with the
// experts that it holds, and the head.
std::vector<TensorInfo> DenseStageTensors(const ModelConfig& config);
std::vector<TensorInfo> ExpertStageTensors(const ModelConfig& config,
                                           const std::set<int>& experts);

// Calls `visit` with every tensor of a checkpoint, in the order of the forward
// pass, up to the first error, which it returns: a short config may announce
// millions of tensors that are not there.
absl::Status VisitTensors(const ModelConfig& config,
                          absl::FunctionRef<absl::Status(TensorInfo)> visit);

// All of VisitTensors. Of a config whose tensors are known to exist.
std::vector<TensorInfo> AllTensors(const ModelConfig& config);

// Returns the names of the tensors of that kind, in their order.
std::vector<std::string> NamesOf(std::span<const TensorInfo> tensors,
                                 WeightKind kind);

// Returns the names of the tensors of each matrix, in the order in which the
// matrices begin.
std::vector<std::vector<std::string>> StackedMatrices(
    std::span<const TensorInfo> tensors);

// Returns true for the tensors with a row for each token: the embedding and the
// head.
bool HasRowForEachToken(std::string_view tensor);

}  // namespace apollo

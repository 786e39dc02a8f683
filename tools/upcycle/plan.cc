#include "tools/upcycle/plan.h"

#include <absl/strings/str_cat.h>

#include <cstddef>
#include <utility>

#include "common/status_macros.h"
#include "model/config/model_config.h"
#include "model/safetensors/tensor_view.h"
#include "model/weights/tensor_registry.h"

namespace apollo {
namespace {

// The sizes that tensors follow from; CheckBaseConfig and CheckUpcycleOptions
// hold all of them far below the largest int.
ModelConfig SizesOf(const BaseConfig& base, const UpcycleOptions& options) {
  ModelConfig sizes;
  sizes.hidden_size = static_cast<int>(base.hidden_size);
  sizes.num_layers = static_cast<int>(base.num_layers);
  sizes.boundary = static_cast<int>(base.num_layers - options.sparse_layers);
  sizes.intermediate_size = static_cast<int>(base.intermediate_size);
  sizes.moe_intermediate_size = sizes.intermediate_size;
  sizes.num_heads = static_cast<int>(base.num_heads);
  sizes.num_kv_heads = static_cast<int>(base.num_kv_heads);
  sizes.head_size = static_cast<int>(base.head_size());
  sizes.num_experts = static_cast<int>(options.experts);
  sizes.experts_per_token = static_cast<int>(options.top_k);
  sizes.attention_bias = base.attention_bias;
  sizes.qk_norm = base.qk_norm;
  sizes.tie_word_embeddings = base.tied_embeddings;
  sizes.vocab_size = static_cast<int>(base.vocab_size);
  return sizes;
}

}  // namespace

std::vector<PlannedTensor> PlanTensors(const BaseConfig& base,
                                       const UpcycleOptions& options) {
  const ModelConfig sizes = SizesOf(base, options);
  ModelConfig dense = sizes;
  dense.boundary = dense.num_layers;
  std::vector<PlannedTensor> plan;
  std::size_t part =
      0;  // Of an expert; all have the dense MLP's, in its order.
  for (TensorInfo& tensor : AllTensors(sizes)) {
    std::string source = tensor.name;
    if (tensor.kind == WeightKind::kGate) source.clear();
    if (tensor.expert != kNoExpert) {
      const auto mlp = MlpTensors(dense, tensor.layer, kNoExpert);
      source = mlp[part++ % mlp.size()].name;
    }
    plan.push_back({std::move(tensor.name), std::move(tensor.shape),
                    std::move(source), tensor.layer});
  }
  return plan;
}

absl::Status CheckSources(const DenseBase& base,
                          const std::vector<PlannedTensor>& plan) {
  for (const PlannedTensor& tensor : plan) {
    if (tensor.source.empty()) continue;
    ASSIGN_OR_RETURN(const std::vector<std::int64_t> shape,
                     base.Shape(tensor.source));
    if (shape != tensor.shape) {
      return absl::InvalidArgumentError(absl::StrCat(
          base.Where(tensor.source), ": shape ", ShapeToString(shape),
          ", but the config requires ", ShapeToString(tensor.shape)));
    }
  }
  return absl::OkStatus();
}

}  // namespace apollo

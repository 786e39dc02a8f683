#include "model/weights/tensor_registry.h"

#include <absl/strings/str_cat.h>

#include <map>
#include <tuple>
#include <utility>

#include "common/check.h"
#include "common/status_macros.h"

namespace apollo {
namespace {

std::string Layer(int layer) {
  return absl::StrCat("model.layers.", layer, ".");
}

void Append(std::vector<TensorInfo> from, std::vector<TensorInfo>& to) {
  for (TensorInfo& tensor : from) to.push_back(std::move(tensor));
}

// Returns all tensors of a layer except its MLPs.
std::vector<TensorInfo> LayerTensors(const ModelConfig& config, int layer) {
  std::vector<TensorInfo> tensors = AttentionTensors(config, layer);
  if (config.IsSparse(layer)) Append(RouterTensors(config, layer), tensors);
  return tensors;
}

}  // namespace

bool IsMatrix(WeightKind kind) {
  switch (kind) {
    case WeightKind::kEmbedding:
    case WeightKind::kQkv:
    case WeightKind::kAttentionOutput:
    case WeightKind::kGateUp:
    case WeightKind::kDown:
    case WeightKind::kHead:
      return true;
    case WeightKind::kAttentionNorm:
    case WeightKind::kQkvBias:
    case WeightKind::kOutputBias:
    case WeightKind::kQNorm:
    case WeightKind::kKNorm:
    case WeightKind::kMlpNorm:
    case WeightKind::kGate:
    case WeightKind::kSharedGate:
    case WeightKind::kFinalNorm:
      return false;
  }
  APOLLO_CHECK(false);
}

TensorInfo EmbeddingTensor(const ModelConfig& c) {
  return {
      kEmbeddingTensor, {c.vocab_size, c.hidden_size}, WeightKind::kEmbedding};
}

std::vector<TensorInfo> AttentionTensors(const ModelConfig& c, int layer) {
  const std::string prefix = Layer(layer);
  const std::string attention = prefix + "self_attn.";
  std::vector<TensorInfo> tensors;
  const auto add = [&](std::string name, std::vector<std::int64_t> shape,
                       WeightKind kind) {
    tensors.push_back({std::move(name), std::move(shape), kind, layer});
  };
  add(prefix + "input_layernorm.weight", {c.hidden_size},
      WeightKind::kAttentionNorm);
  const std::pair<const char*, int> projections[] = {
      {"q_proj", c.q_size()}, {"k_proj", c.kv_size()}, {"v_proj", c.kv_size()}};
  for (const auto& [name, size] : projections) {
    add(attention + name + ".weight", {size, c.hidden_size}, WeightKind::kQkv);
    if (c.attention_bias) {
      add(attention + name + ".bias", {size}, WeightKind::kQkvBias);
    }
  }
  if (c.qk_norm) {
    add(attention + "q_norm.weight", {c.head_size}, WeightKind::kQNorm);
    add(attention + "k_norm.weight", {c.head_size}, WeightKind::kKNorm);
  }
  add(attention + "o_proj.weight", {c.hidden_size, c.q_size()},
      WeightKind::kAttentionOutput);
  if (c.output_bias) {
    add(attention + "o_proj.bias", {c.hidden_size}, WeightKind::kOutputBias);
  }
  add(prefix + "post_attention_layernorm.weight", {c.hidden_size},
      WeightKind::kMlpNorm);
  return tensors;
}

std::vector<TensorInfo> RouterTensors(const ModelConfig& c, int layer) {
  APOLLO_CHECK(c.IsSparse(layer));
  const std::string mlp = Layer(layer) + "mlp.";
  std::vector<TensorInfo> tensors = {{mlp + "gate.weight",
                                      {c.num_experts, c.hidden_size},
                                      WeightKind::kGate,
                                      layer}};
  if (c.shared_expert) {
    tensors.push_back({mlp + "shared_expert_gate.weight",
                       {1, c.hidden_size},
                       WeightKind::kSharedGate,
                       layer});
  }
  return tensors;
}

std::vector<TensorInfo> MlpTensors(const ModelConfig& c, int layer,
                                   int expert) {
  APOLLO_CHECK(c.IsSparse(layer) == (expert != kNoExpert));
  std::string prefix = Layer(layer) + "mlp.";
  std::int64_t inner = c.intermediate_size;
  if (expert == kTheSharedExpert) {
    prefix += "shared_expert.";
    inner = 0;  // Given by the tensors, because the config has no key for it.
  } else if (expert != kNoExpert) {
    absl::StrAppend(&prefix, "experts.", expert, ".");
    inner = c.moe_intermediate_size;
  }
  const std::int64_t hidden = c.hidden_size;
  return {{prefix + "gate_proj.weight",
           {inner, hidden},
           WeightKind::kGateUp,
           layer,
           expert},
          {prefix + "up_proj.weight",
           {inner, hidden},
           WeightKind::kGateUp,
           layer,
           expert},
          {prefix + "down_proj.weight",
           {hidden, inner},
           WeightKind::kDown,
           layer,
           expert}};
}

std::vector<TensorInfo> HeadTensors(const ModelConfig& c) {
  return {{"model.norm.weight", {c.hidden_size}, WeightKind::kFinalNorm},
          {c.tie_word_embeddings ? kEmbeddingTensor : kHeadTensor,
           {c.vocab_size, c.hidden_size},
           WeightKind::kHead}};
}

std::vector<TensorInfo> DenseStageTensors(const ModelConfig& config) {
  std::vector<TensorInfo> tensors = {EmbeddingTensor(config)};
  for (int layer = 0; layer < config.boundary; ++layer) {
    Append(LayerTensors(config, layer), tensors);
    Append(MlpTensors(config, layer, kNoExpert), tensors);
  }
  return tensors;
}

std::vector<TensorInfo> ExpertStageTensors(const ModelConfig& config,
                                           const LayerExperts& experts) {
  std::vector<TensorInfo> tensors;
  for (int layer = config.boundary; layer < config.num_layers; ++layer) {
    Append(LayerTensors(config, layer), tensors);
    if (!config.IsSparse(layer)) {
      Append(MlpTensors(config, layer, kNoExpert), tensors);
      continue;
    }
    for (const int expert : experts.In(layer)) {
      Append(MlpTensors(config, layer, expert), tensors);
    }
    if (config.shared_expert) {
      Append(MlpTensors(config, layer, kTheSharedExpert), tensors);
    }
  }
  Append(HeadTensors(config), tensors);
  return tensors;
}

absl::Status VisitTensors(const ModelConfig& config,
                          absl::FunctionRef<absl::Status(TensorInfo)> visit) {
  const auto visit_all =
      [visit](std::vector<TensorInfo> tensors) -> absl::Status {
    for (TensorInfo& tensor : tensors) {
      RETURN_IF_ERROR(visit(std::move(tensor)));
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(visit(EmbeddingTensor(config)));
  for (int layer = 0; layer < config.num_layers; ++layer) {
    RETURN_IF_ERROR(visit_all(LayerTensors(config, layer)));
    if (!config.IsSparse(layer)) {
      RETURN_IF_ERROR(visit_all(MlpTensors(config, layer, kNoExpert)));
      continue;
    }
    for (int expert = 0; expert < config.num_experts; ++expert) {
      RETURN_IF_ERROR(visit_all(MlpTensors(config, layer, expert)));
    }
    if (config.shared_expert) {
      RETURN_IF_ERROR(visit_all(MlpTensors(config, layer, kTheSharedExpert)));
    }
  }
  for (TensorInfo& tensor : HeadTensors(config)) {
    if (tensor.name == kEmbeddingTensor) continue;  // Tied: visited first.
    RETURN_IF_ERROR(visit(std::move(tensor)));
  }
  return absl::OkStatus();
}

std::vector<TensorInfo> AllTensors(const ModelConfig& config) {
  std::vector<TensorInfo> tensors;
  const absl::Status all = VisitTensors(config, [&tensors](TensorInfo tensor) {
    tensors.push_back(std::move(tensor));
    return absl::OkStatus();
  });
  APOLLO_CHECK(all.ok());
  return tensors;
}

std::vector<std::string> NamesOf(std::span<const TensorInfo> tensors,
                                 WeightKind kind) {
  std::vector<std::string> names;
  for (const TensorInfo& tensor : tensors) {
    if (tensor.kind == kind) names.push_back(tensor.name);
  }
  return names;
}

std::vector<std::vector<std::string>> StackedMatrices(
    std::span<const TensorInfo> tensors) {
  std::vector<std::vector<std::string>> matrices;
  std::map<std::tuple<WeightKind, int, int>, std::size_t> index;
  for (const TensorInfo& tensor : tensors) {
    if (!IsMatrix(tensor.kind)) continue;
    const auto [at, added] = index.emplace(
        std::tuple(tensor.kind, tensor.layer, tensor.expert), matrices.size());
    if (added) matrices.emplace_back();
    matrices[at->second].push_back(tensor.name);
  }
  return matrices;
}

bool HasRowForEachToken(std::string_view tensor) {
  return tensor == kEmbeddingTensor || tensor == kHeadTensor;
}

}  // namespace apollo

#include "engine/weights.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "common/check.h"
#include "common/status_macros.h"

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

absl::StatusOr<PackedMatrix> WeightLoader::Stack(
    const std::vector<std::string>& names) {
  ASSIGN_OR_RETURN(PackedMatrix matrix, source_.Matrix(names, pool_));
  for (const std::string& name : names) Report(name);
  return matrix;
}

absl::StatusOr<std::vector<float>> WeightLoader::Vector(
    const std::string& name) {
  ASSIGN_OR_RETURN(std::vector<float> values, source_.Vector(name));
  Report(name);
  return values;
}

absl::StatusOr<AttentionWeights> WeightLoader::Attention(
    const std::string& layer) {
  AttentionWeights w;
  const std::string prefix = layer + "self_attn.";
  ASSIGN_OR_RETURN(w.norm, Vector(layer + "input_layernorm.weight"));
  ASSIGN_OR_RETURN(w.qkv,
                   Stack({prefix + "q_proj.weight", prefix + "k_proj.weight",
                          prefix + "v_proj.weight"}));
  if (config_.attention_bias) {
    for (const char* name : {"q_proj.bias", "k_proj.bias", "v_proj.bias"}) {
      ASSIGN_OR_RETURN(const std::vector<float> part, Vector(prefix + name));
      w.qkv_bias.insert(w.qkv_bias.end(), part.begin(), part.end());
    }
  }
  ASSIGN_OR_RETURN(w.output, Stack({prefix + "o_proj.weight"}));
  ASSIGN_OR_RETURN(w.mlp_norm,
                   Vector(layer + "post_attention_layernorm.weight"));
  return w;
}

absl::StatusOr<MlpWeights> WeightLoader::Mlp(const std::string& prefix) {
  MlpWeights w;
  ASSIGN_OR_RETURN(w.gate_up, Stack({prefix + "gate_proj.weight",
                                     prefix + "up_proj.weight"}));
  ASSIGN_OR_RETURN(w.down, Stack({prefix + "down_proj.weight"}));
  return w;
}

absl::StatusOr<DenseLayerWeights> WeightLoader::DenseLayer(int layer) {
  APOLLO_CHECK(!config_.IsSparse(layer));
  const std::string prefix = absl::StrCat("model.layers.", layer, ".");
  DenseLayerWeights w;
  ASSIGN_OR_RETURN(w.attention, Attention(prefix));
  ASSIGN_OR_RETURN(w.mlp, Mlp(prefix + "mlp."));
  return w;
}

absl::StatusOr<SparseLayerWeights> WeightLoader::SparseLayer(
    int layer, const std::set<int>& experts) {
  APOLLO_CHECK(config_.IsSparse(layer));
  const std::string prefix = absl::StrCat("model.layers.", layer, ".");
  SparseLayerWeights w;
  ASSIGN_OR_RETURN(w.attention, Attention(prefix));
  ASSIGN_OR_RETURN(w.gate, Vector(prefix + "mlp.gate.weight"));
  for (const int e : experts) {
    ASSIGN_OR_RETURN(w.experts[e],
                     Mlp(absl::StrCat(prefix, "mlp.experts.", e, ".")));
  }
  if (config_.shared_expert) {
    ASSIGN_OR_RETURN(w.shared, Mlp(prefix + "mlp.shared_expert."));
    ASSIGN_OR_RETURN(w.shared_gate,
                     Vector(prefix + "mlp.shared_expert_gate.weight"));
  }
  return w;
}

absl::StatusOr<HeadWeights> WeightLoader::Head() {
  HeadWeights w;
  ASSIGN_OR_RETURN(w.norm, Vector("model.norm.weight"));
  ASSIGN_OR_RETURN(
      w.output, Stack({config_.tie_word_embeddings ? "model.embed_tokens.weight"
                                                   : "lm_head.weight"}));
  return w;
}

std::int64_t SourceBytes(
    const WeightSource& source,
    const std::function<bool(const std::string&)>& wanted) {
  std::int64_t bytes = 0;
  for (const std::string& name : source.names()) {
    if (wanted(name)) bytes += source.Bytes(name);
  }
  return bytes;
}

}  // namespace apollo

#include "engine/weights.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "common/aligned_buffer.h"
#include "common/check.h"
#include "common/status_macros.h"
#include "model/safetensors/convert.h"

namespace apollo {

WeightLoader::WeightLoader(const ModelConfig& config,
                           const Checkpoint& checkpoint, ThreadPool& pool,
                           std::int64_t total, LoadProgress progress)
    : config_(config),
      checkpoint_(checkpoint),
      pool_(pool),
      total_(total),
      progress_(std::move(progress)) {}

void WeightLoader::Report(const TensorView& tensor) {
  done_ += static_cast<std::int64_t>(tensor.data.size());
  if (progress_) progress_(done_, total_);
}

absl::StatusOr<PackedMatrix> WeightLoader::Stack(
    const std::vector<std::string>& names) {
  std::vector<const TensorView*> tensors;
  std::vector<int> first_rows = {0};
  bool all_bf16 = true;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const TensorView* tensor, checkpoint_.Get(name));
    tensors.push_back(tensor);
    first_rows.push_back(first_rows.back() + static_cast<int>(tensor->shape[0]));
    all_bf16 &= tensor->dtype == DType::kBF16;
  }
  const int inputs = static_cast<int>(tensors[0]->shape[1]);
  PackedMatrix matrix(first_rows.back(), inputs,
                      all_bf16 ? WeightFormat::kBF16 : WeightFormat::kF32);
  if (matrix.bytes() == 0) {
    const std::size_t number = all_bf16 ? 2 : 4;
    return NoMemory(number * first_rows.back() * inputs,
                    "weights (" + names[0] + ")");
  }
  // Every type was checked and every row is in range, so that nothing can fail.
  pool_.ParallelFor(matrix.panels(), 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> row(inputs);
    const int last = std::min<std::int64_t>(end * PackedMatrix::kPanel,
                                            matrix.outputs());
    for (int r = static_cast<int>(begin) * PackedMatrix::kPanel; r < last; ++r) {
      const auto next =
          std::upper_bound(first_rows.begin(), first_rows.end(), r);
      const std::size_t t = next - first_rows.begin() - 1;
      APOLLO_CHECK(
          RowsToFloat32(*tensors[t], r - first_rows[t], 1, row.data()).ok());
      matrix.SetRows(r, 1, row.data());
    }
  });
  for (const TensorView* tensor : tensors) Report(*tensor);
  return matrix;
}

absl::StatusOr<std::vector<float>> WeightLoader::Vector(
    const std::string& name) {
  ASSIGN_OR_RETURN(const TensorView* tensor, checkpoint_.Get(name));
  std::vector<float> values(tensor->NumElements());
  RETURN_IF_ERROR(ToFloat32(*tensor, values.data()));
  Report(*tensor);
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
  ASSIGN_OR_RETURN(
      w.gate_up, Stack({prefix + "gate_proj.weight", prefix + "up_proj.weight"}));
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
  ASSIGN_OR_RETURN(w.output, Stack({config_.tie_word_embeddings
                                        ? "model.embed_tokens.weight"
                                        : "lm_head.weight"}));
  return w;
}

std::int64_t CheckpointBytes(
    const Checkpoint& checkpoint,
    const std::function<bool(const std::string&)>& wanted) {
  std::int64_t bytes = 0;
  for (const std::string& name : checkpoint.names()) {
    if (wanted(name)) {
      bytes += static_cast<std::int64_t>(checkpoint.Find(name)->data.size());
    }
  }
  return bytes;
}

}  // namespace apollo

#include "model/weights/tensor_table.h"

#include <absl/functional/function_ref.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace apollo {
namespace {

using Visit = absl::FunctionRef<absl::Status(ExpectedTensor)>;

absl::Status VisitMlp(const std::string& prefix, int hidden, int inner,
                      Visit visit) {
  RETURN_IF_ERROR(visit({prefix + "gate_proj.weight", {inner, hidden}}));
  RETURN_IF_ERROR(visit({prefix + "up_proj.weight", {inner, hidden}}));
  return visit({prefix + "down_proj.weight", {hidden, inner}});
}

absl::Status VisitSparseMlp(const ModelConfig& c, const std::string& layer,
                            Visit visit) {
  RETURN_IF_ERROR(
      visit({layer + "mlp.gate.weight", {c.num_experts, c.hidden_size}}));
  for (int e = 0; e < c.num_experts; ++e) {
    RETURN_IF_ERROR(VisitMlp(absl::StrCat(layer, "mlp.experts.", e, "."),
                             c.hidden_size, c.moe_intermediate_size, visit));
  }
  if (!c.shared_expert) return absl::OkStatus();
  // As wide as its tensors say (see CheckTensors): the config has no key.
  RETURN_IF_ERROR(
      VisitMlp(layer + "mlp.shared_expert.", c.hidden_size, 0, visit));
  return visit({layer + "mlp.shared_expert_gate.weight", {1, c.hidden_size}});
}

// One by one and up to the first error: a short config may announce millions of
// tensors that are not there.
absl::Status VisitExpectedTensors(const ModelConfig& c, Visit visit) {
  RETURN_IF_ERROR(
      visit({"model.embed_tokens.weight", {c.vocab_size, c.hidden_size}}));
  for (int i = 0; i < c.num_layers; ++i) {
    const std::string layer = absl::StrCat("model.layers.", i, ".");
    const std::string attention = layer + "self_attn.";
    RETURN_IF_ERROR(visit({layer + "input_layernorm.weight", {c.hidden_size}}));
    const struct {
      const char* name;
      int size;
    } kProjections[] = {{"q_proj", c.q_size()},
                        {"k_proj", c.kv_size()},
                        {"v_proj", c.kv_size()}};
    for (const auto& [name, size] : kProjections) {
      RETURN_IF_ERROR(
          visit({attention + name + ".weight", {size, c.hidden_size}}));
      if (c.attention_bias) {
        RETURN_IF_ERROR(visit({attention + name + ".bias", {size}}));
      }
    }
    RETURN_IF_ERROR(
        visit({attention + "o_proj.weight", {c.hidden_size, c.q_size()}}));
    RETURN_IF_ERROR(
        visit({layer + "post_attention_layernorm.weight", {c.hidden_size}}));
    RETURN_IF_ERROR(c.IsSparse(i) ? VisitSparseMlp(c, layer, visit)
                                  : VisitMlp(layer + "mlp.", c.hidden_size,
                                             c.intermediate_size, visit));
  }
  RETURN_IF_ERROR(visit({"model.norm.weight", {c.hidden_size}}));
  if (c.tie_word_embeddings) return absl::OkStatus();
  return visit({"lm_head.weight", {c.vocab_size, c.hidden_size}});
}

}  // namespace

std::vector<ExpectedTensor> ExpectedTensors(const ModelConfig& config) {
  std::vector<ExpectedTensor> out;
  const absl::Status all =
      VisitExpectedTensors(config, [&out](ExpectedTensor tensor) {
        out.push_back(std::move(tensor));
        return absl::OkStatus();
      });
  APOLLO_CHECK(all.ok());
  return out;
}

absl::Status CheckTensors(const ModelConfig& config,
                          const Checkpoint& checkpoint) {
  std::int64_t shared_width = 0;
  return VisitExpectedTensors(config, [&](ExpectedTensor spec) -> absl::Status {
    ASSIGN_OR_RETURN(const TensorView* tensor, checkpoint.Get(spec.name));
    const TensorView& view = *tensor;
    // A width of 0 stands for the shared experts' width, which the first of
    // their tensors sets.
    for (std::size_t d = 0; d < spec.shape.size(); ++d) {
      if (spec.shape[d] != 0) continue;
      if (shared_width == 0 && view.shape.size() == spec.shape.size()) {
        shared_width = std::clamp<std::int64_t>(view.shape[d], 1, 1 << 20);
      }
      spec.shape[d] = shared_width;
    }
    if (view.shape != spec.shape) {
      return absl::InvalidArgumentError(
          absl::StrCat(view.Where(), ": shape is ", ShapeToString(view.shape),
                       "; the config asks for ", ShapeToString(spec.shape)));
    }
    if (view.dtype == DType::kOther) {
      return absl::InvalidArgumentError(
          absl::StrCat(view.Where(), ": type is ", view.dtype_name,
                       "; it must be F32, F16 or BF16"));
    }
    return absl::OkStatus();
  });
}

std::string ModelHash(const ModelConfig& c, const Checkpoint& checkpoint) {
  std::string text;
  const auto add = [&text](std::string_view bytes) { text += bytes; };
  // Also what usually follows from the tensors: a checkpoint may hold more of
  // them than its config makes use of.
  add(absl::StrFormat("%d %d %d %d %d %d %d;", c.num_layers, c.num_experts,
                      c.intermediate_size, c.moe_intermediate_size,
                      c.vocab_size, c.attention_bias, c.tie_word_embeddings));
  add(absl::StrFormat("%d %d %d %d %d %d %d %.17g %.9g %s;", c.num_heads,
                      c.num_kv_heads, c.experts_per_token, c.norm_topk_prob,
                      c.shared_expert, c.boundary, c.max_context, c.rope_theta,
                      c.rms_norm_eps, absl::StrJoin(c.eos_tokens, ",")));
  for (const std::string& name : checkpoint.names()) {
    const TensorView& tensor = *checkpoint.Find(name);
    add(absl::StrCat(name, " ", tensor.dtype_name, " ",
                     ShapeToString(tensor.shape), ";"));
    const std::size_t size = std::min<std::size_t>(64, tensor.data.size());
    add({reinterpret_cast<const char*>(tensor.data.data()), size});
  }
  return Sha256Hex(text).substr(0, 16);
}

}  // namespace apollo

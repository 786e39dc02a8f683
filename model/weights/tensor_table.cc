#include "model/weights/tensor_table.h"

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>
#include <openssl/evp.h>

#include <algorithm>

#include "common/check.h"
#include "common/strings.h"

namespace apollo {
namespace {

void AddMlp(const std::string& prefix, int hidden, int inner,
            std::vector<ExpectedTensor>& out) {
  out.push_back({prefix + "gate_proj.weight", {inner, hidden}});
  out.push_back({prefix + "up_proj.weight", {inner, hidden}});
  out.push_back({prefix + "down_proj.weight", {hidden, inner}});
}

}  // namespace

std::vector<ExpectedTensor> ExpectedTensors(const ModelConfig& c) {
  std::vector<ExpectedTensor> out;
  out.push_back({"model.embed_tokens.weight", {c.vocab_size, c.hidden_size}});
  for (int i = 0; i < c.num_layers; ++i) {
    const std::string layer = absl::StrCat("model.layers.", i, ".");
    const std::string attention = layer + "self_attn.";
    out.push_back({layer + "input_layernorm.weight", {c.hidden_size}});
    const struct {
      const char* name;
      int size;
    } kProjections[] = {
        {"q_proj", c.q_size()}, {"k_proj", c.kv_size()}, {"v_proj", c.kv_size()}};
    for (const auto& [name, size] : kProjections) {
      out.push_back({attention + name + ".weight", {size, c.hidden_size}});
      if (c.attention_bias) out.push_back({attention + name + ".bias", {size}});
    }
    out.push_back({attention + "o_proj.weight", {c.hidden_size, c.q_size()}});
    out.push_back({layer + "post_attention_layernorm.weight", {c.hidden_size}});
    if (!c.IsSparse(i)) {
      AddMlp(layer + "mlp.", c.hidden_size, c.intermediate_size, out);
      continue;
    }
    out.push_back({layer + "mlp.gate.weight", {c.num_experts, c.hidden_size}});
    for (int e = 0; e < c.num_experts; ++e) {
      AddMlp(absl::StrCat(layer, "mlp.experts.", e, "."), c.hidden_size,
             c.moe_intermediate_size, out);
    }
    if (c.shared_expert) {
      // As wide as its tensors say (see CheckTensors): the config has no key.
      AddMlp(layer + "mlp.shared_expert.", c.hidden_size, 0, out);
      out.push_back({layer + "mlp.shared_expert_gate.weight", {1, c.hidden_size}});
    }
  }
  out.push_back({"model.norm.weight", {c.hidden_size}});
  if (!c.tie_word_embeddings) {
    out.push_back({"lm_head.weight", {c.vocab_size, c.hidden_size}});
  }
  return out;
}

absl::Status CheckTensors(const ModelConfig& config,
                          const Checkpoint& checkpoint) {
  std::int64_t shared_width = 0;
  for (ExpectedTensor& spec : ExpectedTensors(config)) {
    const auto tensor = checkpoint.Get(spec.name);
    if (!tensor.ok()) return tensor.status();
    const TensorView& view = **tensor;
    // A width of 0 stands for the shared experts' width, which the first of their
    // tensors sets.
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
  }
  return absl::OkStatus();
}

std::string ModelHash(const ModelConfig& c, const Checkpoint& checkpoint) {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  APOLLO_CHECK(context != nullptr);
  APOLLO_CHECK(EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1);
  const auto add = [context](std::string_view bytes) {
    APOLLO_CHECK(EVP_DigestUpdate(context, bytes.data(), bytes.size()) == 1);
  };
  // Also what usually follows from the tensors: a checkpoint may hold more of them
  // than its config makes use of.
  add(absl::StrFormat("%d %d %d %d %d %d %d;", c.num_layers, c.num_experts,
                      c.intermediate_size, c.moe_intermediate_size, c.vocab_size,
                      c.attention_bias, c.tie_word_embeddings));
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
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  APOLLO_CHECK(EVP_DigestFinal_ex(context, digest, &size) == 1);
  EVP_MD_CTX_free(context);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), 8));
}

}  // namespace apollo

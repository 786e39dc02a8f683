#include "model/weights/model_hash.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

#include <algorithm>

#include "common/sha256.h"
#include "common/strings.h"

namespace apollo {

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

#include "model/config/fingerprint.h"

#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

#include "common/mapped_file.h"
#include "common/sha256.h"

namespace apollo {
namespace {

std::string Digest(std::string_view bytes) {
  return Sha256Hex(bytes).substr(0, 16);
}

}  // namespace

ModelFingerprint FingerprintOf(const ModelConfig& c,
                               const std::string& directory) {
  ModelFingerprint out;
  const std::string numbers = absl::StrFormat(
      "%d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %.17g %.9g %s",
      c.hidden_size, c.num_layers, c.boundary, c.intermediate_size,
      c.moe_intermediate_size, c.num_heads, c.num_kv_heads, c.num_experts,
      c.experts_per_token, c.norm_topk_prob, c.shared_expert, c.attention_bias,
      c.tie_word_embeddings, c.vocab_size, c.max_context, c.head_size,
      c.rope_theta, c.rms_norm_eps, absl::StrJoin(c.eos_tokens, ","));
  out.config = Digest(numbers);
  const auto file = MappedFile::Open(directory + "/tokenizer.json");
  if (file.ok()) {
    out.tokenizer = Digest({reinterpret_cast<const char*>(file->bytes().data()),
                            file->bytes().size()});
  }
  return out;
}

std::string Difference(const ModelFingerprint& own,
                       const ModelFingerprint& other) {
  const auto differ = [](const std::string& a, const std::string& b) {
    return !a.empty() && !b.empty() && a != b;
  };
  if (differ(own.config, other.config)) return "config.json is another one";
  if (differ(own.tokenizer, other.tokenizer)) {
    return "tokenizer.json is another one";
  }
  return "";
}

}  // namespace apollo

#include "model/config/fingerprint.h"

#include <absl/strings/escaping.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>
#include <openssl/sha.h>

#include "common/mapped_file.h"

namespace apollo {
namespace {

std::string Digest(const void* data, std::size_t size) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(static_cast<const unsigned char*>(data), size, digest);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), 8));
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
  out.config = Digest(numbers.data(), numbers.size());
  const auto file = MappedFile::Open(directory + "/tokenizer.json");
  if (file.ok()) {
    out.tokenizer = Digest(file->bytes().data(), file->bytes().size());
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

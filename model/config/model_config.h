#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace apollo {

// The format of a chat as a prompt (see model/prompt).
enum class PromptFormat {
  kApollo,  // "User:{question}\nAssistant:"
  kChatMl,  // "<|im_start|>user\n{question}<|im_end|>\n..."
};

// The shape of a Post-MoE transformer, from its config.json. Layers [0,
// boundary) have a dense MLP and are shared by all languages; layers [boundary,
// num_layers) have experts. Parsed configs satisfy the ranges given here, so
// products of the sizes do not overflow 64 bits.
struct ModelConfig {
  std::string architecture;
  int hidden_size = 0;               // 1..65536
  int num_layers = 0;                // 1..1024
  int boundary = 0;                  // First sparse layer, 0..num_layers-1.
  int intermediate_size = 0;         // MLP width of dense layers, 1..1048576
  int moe_intermediate_size = 0;     // MLP width of each expert, 1..1048576
  int num_heads = 0;                 // 1..1024
  int num_kv_heads = 0;              // Divides num_heads.
  int head_size = 0;                 // hidden_size / num_heads, even.
  int num_experts = 0;               // 1..1024
  int experts_per_token = 0;         // 1..num_experts
  bool norm_topk_prob = false;       // Divide the k weights by their sum.
  bool shared_expert = false;        // "share_flag"
  bool attention_bias = true;        // q, k and v have biases.
  bool tie_word_embeddings = false;  // The head is the embedding.
  int vocab_size = 0;                // 1..2^24
  int max_context = 0;               // In tokens, prompt and answer together.
  double rope_theta = 0;             // > 0
  float rms_norm_eps = 0;            // > 0
  std::vector<std::int32_t> eos_tokens;  // Each below vocab_size; may be empty.
  PromptFormat prompt_format = PromptFormat::kApollo;
  bool names_prompt_format = false;  // The file has "prompt_format".

  bool IsSparse(int layer) const { return layer >= boundary; }
  int num_sparse_layers() const { return num_layers - boundary; }
  int q_size() const { return num_heads * head_size; }
  int kv_size() const { return num_kv_heads * head_size; }
};

// Parses config.json. `source` is its path. Returns INVALID_ARGUMENT naming the
// file, the key, its value and the valid values, also if a key asks for another
// computation (config_keys.h), or UNIMPLEMENTED if the architecture is not
// Apollo-MoE or the sparse layers are not the last ones. Appends sentences
// about unknown keys and contradictions to `warnings`, unless it is null; see
// ReportModelWarnings.
absl::StatusOr<ModelConfig> ParseModelConfig(
    std::string_view json, std::string_view source,
    std::vector<std::string>* warnings = nullptr);

// Reads `directory`/config.json. Returns NOT_FOUND if it does not exist.
absl::StatusOr<ModelConfig> LoadModelConfig(
    const std::string& directory, std::vector<std::string>* warnings = nullptr);

}  // namespace apollo

#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace apollo {

// How a chat becomes the model's prompt (see model/prompt).
enum class PromptFormat {
  kApollo,  // "User:{question}\nAssistant:"
  kChatMl,  // "<|im_start|>user\n{question}<|im_end|>\n..."
};

// A Post-MoE transformer, as its config.json describes it: layers
// [0, boundary) have a dense MLP and are shared by all languages, layers
// [boundary, num_layers) have experts. Parsed configs satisfy all the ranges
// noted here, so that products of the sizes never overflow 64 bits.
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
  int max_context = 0;               // Positions, prompt and answer together.
  double rope_theta = 0;             // > 0
  float rms_norm_eps = 0;            // > 0
  std::vector<std::int32_t> eos_tokens;  // Each below vocab_size; may be empty.
  PromptFormat prompt_format = PromptFormat::kApollo;

  bool IsSparse(int layer) const { return layer >= boundary; }
  int num_sparse_layers() const { return num_layers - boundary; }
  int q_size() const { return num_heads * head_size; }
  int kv_size() const { return num_kv_heads * head_size; }
};

// Parses config.json. `source` is its path. INVALID_ARGUMENT naming the file,
// the key, its value and what would be right; UNIMPLEMENTED for an architecture
// that is not Apollo-MoE's or sparse layers that are not the last ones.
absl::StatusOr<ModelConfig> ParseModelConfig(std::string_view json,
                                             std::string_view source);

// Reads `directory`/config.json. NOT_FOUND when it is not there.
absl::StatusOr<ModelConfig> LoadModelConfig(const std::string& directory);

}  // namespace apollo

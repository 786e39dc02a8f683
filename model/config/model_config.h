#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/config/rope_scaling.h"

namespace apollo {

// The format of a chat as a prompt (see model/prompt).
enum class PromptFormat {
  kApollo,  // "User:{question}\nAssistant:"
  kChatMl,  // "<|im_start|>user\n{question}<|im_end|>\n..."
};

// The use of the chat template that a model directory has (model/prompt), which
// then counts instead of PromptFormat. Published checkpoints with experts have
// that of their base, which is not the format that they were trained with.
enum class ChatTemplateUse {
  kNever,      // The format is named, or the model has experts.
  kIfPresent,  // No format is named, and the model has no experts.
  kAlways,     // "prompt_format" is "template".
};

// The shape of a Post-MoE transformer, from its config.json. Layers [0,
// boundary) have a dense MLP and are shared by all languages; layers [boundary,
// num_layers) have experts. In a dense model no layer has experts, and the
// boundary is before the last layer. Parsed configs satisfy the ranges given
// here, so products of the sizes do not overflow 64 bits.
struct ModelConfig {
  std::string architecture;
  int hidden_size = 0;               // 1..65536
  int num_layers = 0;                // 1..1024
  int boundary = 0;                  // 0..num_layers-1.
  int intermediate_size = 0;         // MLP width of dense layers, 1..1048576
  int moe_intermediate_size = 0;     // Of each expert, 1..1048576; dense: 0.
  int num_heads = 0;                 // 1..1024
  int num_kv_heads = 0;              // Divides num_heads.
  int head_size = 0;                 // 2..65536, even.
  int num_experts = 0;               // 1..1024; dense: 0.
  int experts_per_token = 0;         // 1..num_experts; dense: 0.
  bool norm_topk_prob = false;       // Divide the k weights by their sum.
  bool shared_expert = false;        // "share_flag"
  bool attention_bias = true;        // q, k and v have biases.
  bool output_bias = false;          // The output of attention has one, too.
  bool qk_norm = false;              // Each head of q and k has an RMSNorm.
  bool tie_word_embeddings = false;  // The head is the embedding.
  int vocab_size = 0;                // 1..2^24
  int max_context = 0;               // In tokens, prompt and answer together.
  double rope_theta = 0;             // > 0
  RopeScaling rope_scaling;
  float rms_norm_eps = 0;                // > 0
  std::vector<std::int32_t> eos_tokens;  // Each below vocab_size; may be empty.
  // Those of eos_tokens that only generation_config.json names.
  std::vector<std::int32_t> added_ends;
  PromptFormat prompt_format = PromptFormat::kApollo;
  ChatTemplateUse chat_template_use = ChatTemplateUse::kNever;

  bool is_dense() const { return num_experts == 0; }
  bool IsSparse(int layer) const { return !is_dense() && layer >= boundary; }
  int num_sparse_layers() const { return is_dense() ? 0 : num_layers_after(); }
  // The layers after the boundary, which expert workers run.
  int num_layers_after() const { return num_layers - boundary; }
  int q_size() const { return num_heads * head_size; }
  int kv_size() const { return num_kv_heads * head_size; }
};

// Name of the optional file in a model directory with defaults of generation.
inline constexpr char kGenerationFile[] = "generation_config.json";

struct ConfigFile {
  std::string_view text;
  std::string_view source;  // Its path, for messages.
};

// Parses config.json. `source` is its path. Returns INVALID_ARGUMENT naming the
// file, the key, its value and the valid values, also if a key asks for another
// computation (config_keys.h), or UNIMPLEMENTED if the architecture is not one
// of architecture.h or the sparse layers are not the last ones. Appends
// sentences about unknown keys and contradictions to `warnings`, unless it is
// null; see ReportModelWarnings. `generation` is generation_config.json, or
// null; it is read for ends only (end_tokens.h), and named by the errors about
// it.
absl::StatusOr<ModelConfig> ParseModelConfig(
    std::string_view json, std::string_view source,
    std::vector<std::string>* warnings = nullptr,
    const ConfigFile* generation = nullptr);

// Reads config.json in the directory, and generation_config.json if there is
// one. Returns NOT_FOUND without a config.json.
absl::StatusOr<ModelConfig> LoadModelConfig(
    const std::string& directory, std::vector<std::string>* warnings = nullptr);

}  // namespace apollo

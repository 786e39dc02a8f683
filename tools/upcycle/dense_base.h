#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/json.h"
#include "model/safetensors/tensor_view.h"

namespace apollo {

// The configuration of a dense Llama, Qwen2 or Qwen3 checkpoint.
struct BaseConfig {
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t num_layers = 0;
  std::int64_t num_heads = 0;
  std::int64_t num_kv_heads = 0;
  std::int64_t vocab_size = 0;
  std::int64_t max_positions = 0;
  double rope_theta = 0;
  Json rope_scaling;  // As in config.json (RopeScalingJson); null: none.
  double rms_norm_eps = 0;
  std::int64_t head_dim = 0;       // 0: hidden_size / num_heads.
  bool attention_bias = false;     // q, k and v have biases.
  bool qk_norm = false;            // Each head of q and k has an RMSNorm.
  bool tied_embeddings = false;    // The LM head is the embedding.
  std::int64_t bos_token_id = -1;  // -1: none.
  std::vector<std::int64_t> eos_token_ids;
  // Files with the chat template and its special tokens, by name: those that
  // model/prompt/template_source.h reads. Empty if there is no template.
  std::map<std::string, std::string> chat_files;
  std::vector<std::string> warnings;  // Doubts for the user, a line each.
  DType dtype = DType::kF32;  // Type of the output unless another is requested.

  std::int64_t head_size() const {
    return head_dim > 0 ? head_dim : hidden_size / num_heads;
  }
};

// Returns INVALID_ARGUMENT, starting with `source`, unless all sizes are
// positive, consistent, and small enough that no shape overflows.
absl::Status CheckBaseConfig(const BaseConfig& config, std::string_view source);

// An open dense checkpoint of any file format. Tensors have the names and the
// layout of a Hugging Face checkpoint
// ("model.layers.0.self_attn.q_proj.weight", rotary halves one after the
// other). Single-threaded.
class DenseBase {
 public:
  virtual ~DenseBase() = default;

  virtual const BaseConfig& config() const = 0;

  // Returns the shape of a tensor. Returns NOT_FOUND, naming file and tensor,
  // if it does not exist, or INVALID_ARGUMENT if its storage type is not
  // readable.
  virtual absl::StatusOr<std::vector<std::int64_t>> Shape(
      std::string_view name) const = 0;

  // Reads rows [first_row, first_row + num_rows) along the first dimension as
  // floats. The tensor and the rows must exist.
  virtual absl::Status ReadRows(std::string_view name, std::int64_t first_row,
                                std::int64_t num_rows, float* out) const = 0;

  // Returns the content of a Hugging Face tokenizer.json. Returns
  // INVALID_ARGUMENT or UNIMPLEMENTED, naming the file, if it cannot be loaded
  // or has more tokens than the embedding has rows.
  virtual absl::StatusOr<std::string> TokenizerJson() const = 0;

  // Returns "<path>: tensor \"<name in the file>\"", for messages.
  virtual std::string Where(std::string_view name) const = 0;
};

// Opens a Hugging Face directory or a GGUF file.
absl::StatusOr<std::unique_ptr<DenseBase>> OpenDenseBase(
    const std::string& path);

}  // namespace apollo

#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <optional>
#include <string>

#include "model/safetensors/tensor_view.h"
#include "tools/upcycle/dense_base.h"

namespace apollo {

enum class PromptFormatChoice { kAuto, kApollo, kChatMl };

// Options of the conversion of a dense model into a Post-MoE model.
struct UpcycleOptions {
  std::string input;   // A GGUF file or a Hugging Face directory.
  std::string output;  // The directory to create.
  std::int64_t experts = 7;
  std::int64_t sparse_layers = 2;  // Counted from the last layer.
  std::int64_t top_k = 2;
  bool norm_topk_prob = false;
  std::uint64_t seed = 0;
  std::optional<DType> dtype;  // Empty: the type of the base, F32 if quantised.
  double gate_std = 0.02;
  // Texts by language that the gates are made from (family_texts.h); empty: the
  // gates are random numbers.
  std::string gate_from_texts;
  std::string gate_check_texts;  // Held-out ones; empty: none.
  double gate_margin = 4;        // See affinity_gate.h.
  std::string families_file;     // Empty: the built-in table.
  int threads = 1;               // For running the model on the texts.
  PromptFormatChoice prompt_format = PromptFormatChoice::kAuto;
  bool overwrite = false;
};

// INVALID_ARGUMENT naming the option, its value and what is valid.
absl::Status CheckUpcycleOptions(const UpcycleOptions& options,
                                 const BaseConfig& base);

}  // namespace apollo

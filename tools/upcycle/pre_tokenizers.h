#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace apollo {

// The normalizer and pre-tokenizer before BPE, in the form of tokenizer.json.
struct PreTokenizer {
  nlohmann::ordered_json normalizer;  // Null for none.
  nlohmann::ordered_json pre_tokenizer;
  bool ignore_merges = false;     // Pieces in the vocabulary are not split.
  bool adds_first_token = false;  // Default of tokenizer.ggml.add_bos_token.
};

// Returns the pre-tokenizer of this name in "tokenizer.ggml.pre", or nullopt if
// it is unknown. The regular expressions and settings are those of the models'
// published tokenizers, so names are unknown for which those and llama.cpp
// disagree.
std::optional<PreTokenizer> FindPreTokenizer(std::string_view name);

// Returns the known names for messages: "gpt-2, smollm, ...".
std::string KnownPreTokenizers();

}  // namespace apollo

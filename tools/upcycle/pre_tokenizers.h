#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace apollo {

// How text is prepared and cut before BPE, in the form of tokenizer.json.
struct PreTokenizer {
  nlohmann::ordered_json normalizer;  // Null for none.
  nlohmann::ordered_json pre_tokenizer;
  bool ignore_merges =
      false;  // Whole pieces found in the vocabulary stay whole.
  bool adds_first_token = false;  // Unless tokenizer.ggml.add_bos_token says.
};

// Of the name in "tokenizer.ggml.pre"; empty if it is not known. The regular
// expressions and settings are those that the models' own tokenizers publish.
std::optional<PreTokenizer> FindPreTokenizer(std::string_view name);

// "gpt-2, smollm, ...", for messages.
std::string KnownPreTokenizers();

}  // namespace apollo

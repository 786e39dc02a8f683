#include "tools/upcycle/pre_tokenizers.h"

namespace apollo {
namespace {

using OrderedJson = nlohmann::ordered_json;

// The two differ in the number of digits in a piece: one, or {1,3}.
constexpr char kQwen2Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr char kLlama3Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

OrderedJson ByteLevel(bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

OrderedJson Sequence(OrderedJson first, OrderedJson second) {
  return {{"type", "Sequence"},
          {"pretokenizers",
           OrderedJson::array({std::move(first), std::move(second)})}};
}

OrderedJson Split(const char* pattern) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", pattern}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

}  // namespace

std::optional<PreTokenizer> FindPreTokenizer(std::string_view name) {
  PreTokenizer result;
  if (name == "gpt-2") {
    result.pre_tokenizer = ByteLevel(true);
  } else if (name == "smollm") {
    result.pre_tokenizer = Sequence(
        {{"type", "Digits"}, {"individual_digits", true}}, ByteLevel(true));
  } else if (name == "qwen2") {
    result.normalizer = {{"type", "NFC"}};
    result.pre_tokenizer = Sequence(Split(kQwen2Pattern), ByteLevel(false));
  } else if (name == "llama-bpe") {
    result.pre_tokenizer = Sequence(Split(kLlama3Pattern), ByteLevel(false));
    result.ignore_merges = true;
    result.adds_first_token = true;
  } else {
    return std::nullopt;
  }
  return result;
}

std::string KnownPreTokenizers() { return "gpt-2, smollm, qwen2, llama-bpe"; }

}  // namespace apollo

#include "tools/upcycle/pre_tokenizers.h"

#include <span>
#include <utility>
#include <vector>

namespace apollo {
namespace {

using OrderedJson = nlohmann::ordered_json;

// The regular expressions of the published tokenizer.json files.
//
// Qwen2 and Llama 3 differ in the number of digits in a piece: one, or {1,3}.
constexpr char kQwen2Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr char kLlama3Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// As Qwen2, with combining marks as parts of words.
constexpr char kQwen35Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// As Qwen2, but punctuation does not take line breaks with it.
constexpr char kSeedCoderPattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)";
// Words end before a capital letter; they keep English endings in that of
// GPT-4o, but not in Tekken, which also takes digits singly.
constexpr char kGpt4oPattern[] =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr char kTekkenPattern[] =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// DeepSeek's are applied one after the other.
constexpr const char* kDeepSeekV3Patterns[] = {
    R"(\p{N}{1,3})", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"
    "[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|"
    "\\s*[\r\n]+|\\s+(?!\\S)|\\s+"};
constexpr const char* kDeepSeekCoderPatterns[] = {
    "[\r\n]", R"(\s?\p{L}+)", R"(\s?\p{P}+)",
    "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"};

OrderedJson ByteLevel(bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

OrderedJson Digits() {
  return {{"type", "Digits"}, {"individual_digits", true}};
}

OrderedJson Split(const char* pattern) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", pattern}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

OrderedJson Sequence(std::vector<OrderedJson> steps) {
  return {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}

OrderedJson Splits(std::span<const char* const> patterns) {
  std::vector<OrderedJson> steps;
  for (const char* pattern : patterns) steps.push_back(Split(pattern));
  steps.push_back(ByteLevel(false));
  return Sequence(std::move(steps));
}

OrderedJson Split1(const char* pattern) {
  return Splits(std::span(&pattern, 1));
}

struct Known {
  const char* name;
  OrderedJson (*pre_tokenizer)();
  bool nfc = false;
  bool ignore_merges = false;
  bool adds_first_token = false;
};

OrderedJson Gpt2() { return ByteLevel(true); }
OrderedJson SmolLm() { return Sequence({Digits(), ByteLevel(true)}); }
OrderedJson Qwen2() { return Split1(kQwen2Pattern); }
OrderedJson Qwen35() { return Split1(kQwen35Pattern); }
OrderedJson Llama3() { return Split1(kLlama3Pattern); }
OrderedJson SeedCoder() { return Split1(kSeedCoderPattern); }
OrderedJson Gpt4o() { return Split1(kGpt4oPattern); }
OrderedJson Tekken() { return Split1(kTekkenPattern); }
OrderedJson DeepSeekV3() { return Splits(kDeepSeekV3Patterns); }
OrderedJson DeepSeekCoder() {
  std::vector<OrderedJson> steps;
  for (const char* pattern : kDeepSeekCoderPatterns) {
    steps.push_back(Split(pattern));
  }
  steps.push_back(Digits());
  steps.push_back(ByteLevel(false));
  return Sequence(std::move(steps));
}

constexpr Known kKnown[] = {
    {"gpt-2", Gpt2},
    {"smollm", SmolLm},
    {"qwen2", Qwen2, true},
    {"deepseek-r1-qwen", Qwen2, true},
    {"qwen35", Qwen35, true},
    {"llama-bpe", Llama3, false, true, true},
    {"llama3", Llama3, false, true, true},
    {"llama-v3", Llama3, false, true, true},
    {"tekken", Tekken, false, true, true},
    {"gpt-4o", Gpt4o},
    {"llama4", Gpt4o},
    {"deepseek-v3", DeepSeekV3},
    {"deepseek-coder", DeepSeekCoder},
    {"seed-coder", SeedCoder},
};

}  // namespace

std::optional<PreTokenizer> FindPreTokenizer(std::string_view name) {
  for (const Known& known : kKnown) {
    if (known.name != name) continue;
    PreTokenizer result;
    if (known.nfc) result.normalizer = {{"type", "NFC"}};
    result.pre_tokenizer = known.pre_tokenizer();
    result.ignore_merges = known.ignore_merges;
    result.adds_first_token = known.adds_first_token;
    return result;
  }
  return std::nullopt;
}

std::string KnownPreTokenizers() {
  std::string names;
  for (const Known& known : kKnown) {
    if (!names.empty()) names += ", ";
    names += known.name;
  }
  return names;
}

}  // namespace apollo

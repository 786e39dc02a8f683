#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tools/upcycle/ggml_type.h"
#include "tools/upcycle/gguf_builder.h"

namespace apollo {

// 3 layers, hidden 32, 2 heads of 16, 1 key/value head, MLP 64, vocabulary 98.
inline constexpr std::uint64_t kHidden = 32;
inline constexpr std::uint64_t kMlp = 64;
inline constexpr std::uint64_t kVocabulary = 98;

// The special tokens 0 and 1, "a", "b" and "ab", and the other printable ASCII
// characters, without which no tokenizer loads; that of space is the last.
inline std::vector<std::string> TinyTokens() {
  std::vector<std::string> tokens = {"<s>", "<e>", "a", "b", "ab"};
  for (char c = '!'; c <= '~'; ++c) {
    if (c != 'a' && c != 'b') tokens.push_back(std::string(1, c));
  }
  tokens.push_back("\u0120");
  return tokens;
}

// A GGUF model for tests. Members can be changed before Build.
struct TinyModel {
  std::string architecture = "llama";
  bool biases = false;
  bool untied = false;
  std::string chat_template;
  std::uint32_t kv_heads = 1;
  std::uint64_t head_size = kHidden / 2;
  std::uint32_t mlp_type = kGgmlF32;
  std::string left_out;               // A tensor to omit.
  std::vector<std::uint64_t> odd_up;  // A different shape for blk.1.ffn_up.
  float poison = 0;                   // Added to one weight.
  GgufBuilder builder;  // For additional tensors, and keys that replace those
                        // of Build.

  // F32 tensors; filled by Build.
  std::map<std::string, std::vector<float>> values;

  void Floats(const std::string& name,
              const std::vector<std::uint64_t>& dimensions) {
    if (name == left_out) return;
    std::size_t count = 1;
    for (const std::uint64_t size : dimensions) count *= size;
    std::vector<float> numbers(count);
    // Different in every tensor, and at 1024 consecutive positions of a tensor.
    const auto base = static_cast<float>(values.size());
    for (std::size_t i = 0; i < count; ++i) {
      numbers[i] = base + static_cast<float>(i % 1024) / 1024;
    }
    if (name == "blk.1.ffn_gate.weight") numbers[7] += poison;
    values[name] = numbers;
    NextPart().AddTensor(name, dimensions, kGgmlF32,
                         GgufBuilder::Floats(numbers));
  }

  void Mlp(const std::string& name,
           const std::vector<std::uint64_t>& dimensions) {
    if (mlp_type == kGgmlF32) return Floats(name, dimensions);
    const GgmlType* type = FindGgmlType(mlp_type);
    const auto blocks = dimensions[0] * dimensions[1] /
                        static_cast<std::uint64_t>(type->block_elements);
    // Q8_0 with scale 0.25 and the numbers 0 to 31 in each block.
    std::string block = {'\x00', '\x34'};
    for (char q = 0; q < 32; ++q) block.push_back(q);
    std::string data;
    for (std::uint64_t i = 0; i < blocks; ++i) data += block;
    NextPart().AddTensor(name, dimensions, mlp_type, data);
  }

  std::string Build() {
    Fill();
    return builder.Build();
  }

  // Builds the model as `count` parts. Consecutive tensors are in different
  // parts.
  std::vector<std::string> BuildParts(std::uint16_t count) {
    more_parts.resize(count - 1u);
    Fill();
    std::uint64_t tensors = builder.num_tensors();
    for (const GgufBuilder& part : more_parts) tensors += part.num_tensors();
    std::vector<std::string> files;
    for (std::uint16_t i = 0; i < count; ++i) {
      GgufBuilder& part = i == 0 ? builder : more_parts[i - 1u];
      part.AddU16("split.no", i);
      part.AddU16("split.count", count);
      part.AddU32("split.tensors.count", static_cast<std::uint32_t>(tensors));
      files.push_back(part.Build());
    }
    return files;
  }

  std::vector<GgufBuilder> more_parts;
  std::size_t next_part = 0;

  GgufBuilder& NextPart() {
    const std::size_t part = next_part++ % (more_parts.size() + 1);
    return part == 0 ? builder : more_parts[part - 1];
  }

  void Fill() {
    builder.first_wins = true;
    const std::string& a = architecture;
    builder.AddString("general.architecture", a);
    builder.AddU32(a + ".block_count", 3);
    builder.AddU32(a + ".context_length", 128);
    builder.AddU32(a + ".embedding_length", kHidden);
    builder.AddU32(a + ".feed_forward_length", kMlp);
    builder.AddU32(a + ".attention.head_count", 2);
    builder.AddU32(a + ".attention.head_count_kv", kv_heads);
    if (head_size != kHidden / 2) {
      const auto size = static_cast<std::uint32_t>(head_size);
      builder.AddU32(a + ".attention.key_length", size);
      builder.AddU32(a + ".attention.value_length", size);
    }
    builder.AddF32(a + ".attention.layer_norm_rms_epsilon", 1e-5f);
    builder.AddF32(a + ".rope.freq_base", 100000);
    builder.AddString("tokenizer.ggml.model", "gpt2");
    builder.AddString("tokenizer.ggml.pre", "smollm");
    std::vector<std::int32_t> types(kVocabulary, 1);
    types[0] = types[1] = 3;
    builder.AddStrings("tokenizer.ggml.tokens", TinyTokens());
    builder.AddI32s("tokenizer.ggml.token_type", types);
    builder.AddStrings("tokenizer.ggml.merges", {"a b"});
    builder.AddU32("tokenizer.ggml.bos_token_id", 0);
    builder.AddU32("tokenizer.ggml.eos_token_id", 1);
    if (!chat_template.empty()) {
      builder.AddString("tokenizer.chat_template", chat_template);
    }
    Floats("token_embd.weight", {kHidden, kVocabulary});
    Floats("output_norm.weight", {kHidden});
    if (untied) Floats("output.weight", {kHidden, kVocabulary});
    for (int i = 0; i < 3; ++i) {
      const std::string p = "blk." + std::to_string(i) + ".";
      Floats(p + "attn_norm.weight", {kHidden});
      Floats(p + "ffn_norm.weight", {kHidden});
      for (const auto& [letter, rows] : {std::pair{"q", 2 * head_size},
                                         {"k", head_size},
                                         {"v", head_size}}) {
        Floats(p + "attn_" + letter + ".weight", {kHidden, rows});
        if (biases) Floats(p + "attn_" + letter + ".bias", {rows});
      }
      if (architecture == "qwen3") {
        Floats(p + "attn_q_norm.weight", {head_size});
        Floats(p + "attn_k_norm.weight", {head_size});
      }
      Floats(p + "attn_output.weight", {2 * head_size, kHidden});
      Mlp(p + "ffn_gate.weight", {kHidden, kMlp});
      Mlp(p + "ffn_up.weight", i == 1 && !odd_up.empty()
                                   ? odd_up
                                   : std::vector<std::uint64_t>{kHidden, kMlp});
      Mlp(p + "ffn_down.weight", {kMlp, kHidden});
    }
  }
};

}  // namespace apollo

#include "tests/e2e/known_routing.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "model/config/model_config.h"
#include "model/safetensors/writer.h"
#include "model/weights/tensor_registry.h"
#include "tests/e2e/cluster.h"

namespace apollo {
namespace {

constexpr int kHidden = 16;
constexpr int kByteTokens = 256;

constexpr char kConfig[] = R"({
 "architectures": ["UpcyclingQwen2MoeForCausalLM"],
 "model_type": "upcycling-qwen2-moe",
 "attention_bias": false,
 "bos_token_id": 256, "eos_token_id": 256,
 "hidden_act": "silu", "hidden_size": 16, "intermediate_size": 8,
 "max_position_embeddings": 512, "mlp_only_layers": [0],
 "moe_intermediate_size": 8, "norm_topk_prob": false,
 "num_attention_heads": 2, "num_experts": 7, "num_experts_per_tok": 2,
 "num_hidden_layers": 3, "num_key_value_heads": 2,
 "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "share_flag": false,
 "tie_word_embeddings": true, "torch_dtype": "float32",
 "use_sliding_window": false, "vocab_size": 260
})";

// Returns the dimensions in which a token's embedding is 2 and 1; they differ.
std::pair<int, int> Dimensions(int token) {
  const int first = token % kKnownExperts;
  const int distance = 1 + token / kKnownExperts % (kKnownExperts - 1);
  return {first, (first + distance) % kKnownExperts};
}

// Returns the token id of a printable ASCII character: GPT-2 orders the bytes
// from "!" to "~" first, and the space as the 221st.
int TokenOf(char c) { return c == ' ' ? 220 : c - '!'; }

std::vector<float> Values(const TensorInfo& tensor) {
  std::int64_t size = 1;
  for (const std::int64_t n : tensor.shape) size *= n;
  const bool norm = tensor.name.find("norm") != std::string::npos;
  std::vector<float> values(size, norm ? 1.0f : 0.0f);
  if (tensor.kind == WeightKind::kEmbedding) {
    for (int token = 0; token < kByteTokens; ++token) {
      const auto [first, second] = Dimensions(token);
      values[token * kHidden + first] = 2;
      values[token * kHidden + second] = 1;
    }
  }
  if (tensor.kind == WeightKind::kGate) {
    for (int e = 0; e < kKnownExperts; ++e) {
      values[e * kHidden + (e + tensor.layer) % kKnownExperts] = 1;
    }
  }
  return values;
}

}  // namespace

void WriteKnownModel(const std::string& folder) {
  std::ofstream(folder + "/config.json") << kConfig;
  std::filesystem::copy_file(Runfile("tests/golden/published/tokenizer.json"),
                             folder + "/tokenizer.json");
  const auto config = LoadModelConfig(folder);
  ASSERT_TRUE(config.ok()) << config.status();
  std::vector<TensorSpec> specs;
  const std::vector<TensorInfo> tensors = AllTensors(*config);
  for (const TensorInfo& tensor : tensors) {
    specs.push_back({tensor.name, DType::kF32, tensor.shape});
  }
  auto writer = SafetensorsWriter::Create(folder + "/model.safetensors", specs);
  ASSERT_TRUE(writer.ok()) << writer.status();
  for (const TensorInfo& tensor : tensors) {
    const absl::Status status =
        writer->AppendFloats(tensor.name, Values(tensor));
    ASSERT_TRUE(status.ok()) << status;
  }
  const absl::Status status = writer->Finish();
  ASSERT_TRUE(status.ok()) << status;
}

void KnownUse::Add(const std::string& text, int family, bool hybrid) {
  for (const char c : text) {
    ++tokens;
    const auto [first, second] = Dimensions(TokenOf(c));
    for (int i = 0; i < kKnownSparse; ++i) {
      const int layer = kKnownBoundary + i;
      const auto expert = [layer](int dimension) {
        return (dimension - layer + kKnownExperts) % kKnownExperts;
      };
      const bool off = family != expert(first) && family != expert(second);
      off_family[i] += off;
      ++by_expert[i][expert(first)];
      ++by_expert[i][off && hybrid ? family : expert(second)];
    }
  }
}

}  // namespace apollo

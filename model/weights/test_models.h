#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "model/config/model_config.h"
#include "model/safetensors/checkpoint.h"
#include "model/safetensors/tensor_view.h"
#include "model/safetensors/writer.h"
#include "model/weights/tensor_registry.h"

// Model configs for tests, and small checkpoints.
namespace apollo {

using Shape = std::vector<std::int64_t>;

// The shape of the published 0.5B checkpoint.
inline ModelConfig Published() {
  ModelConfig c;
  c.hidden_size = 896;
  c.num_layers = 24;
  c.boundary = 22;
  c.intermediate_size = 4864;
  c.moe_intermediate_size = 4864;
  c.num_heads = 14;
  c.num_kv_heads = 2;
  c.head_size = 64;
  c.num_experts = 7;
  c.experts_per_token = 2;
  c.tie_word_embeddings = true;
  c.vocab_size = 151936;
  c.max_context = 32768;
  c.rope_theta = 1e6;
  c.rms_norm_eps = 1e-6f;
  c.eos_tokens = {151643};
  return c;
}

// The shape of the published 7B checkpoint.
inline ModelConfig Published7B() {
  ModelConfig c = Published();
  c.hidden_size = 3584;
  c.num_layers = 28;
  c.boundary = 26;
  c.intermediate_size = 18944;
  c.moe_intermediate_size = 18944;
  c.num_heads = 28;
  c.num_kv_heads = 4;
  c.head_size = 128;
  c.tie_word_embeddings = false;
  c.vocab_size = 152064;
  return c;
}

// Small enough to write in a test.
inline ModelConfig Tiny() {
  ModelConfig c = Published();
  c.hidden_size = 4;
  c.num_layers = 2;
  c.boundary = 1;
  c.intermediate_size = 3;
  c.moe_intermediate_size = 5;
  c.num_heads = 2;
  c.num_kv_heads = 1;
  c.head_size = 2;
  c.num_experts = 2;
  c.experts_per_token = 1;
  c.vocab_size = 6;
  c.eos_tokens = {5};
  return c;
}

// The same without experts, as a Llama model.
inline ModelConfig TinyDense() {
  ModelConfig c = Tiny();
  c.moe_intermediate_size = 0;
  c.num_experts = 0;
  c.experts_per_token = 0;
  c.attention_bias = false;
  return c;
}

// Writes a checkpoint whose tensors a test can change first.
class WrittenTest : public testing::Test {
 protected:
  void SetUp() override {
    const testing::TestInfo& test =
        *testing::UnitTest::GetInstance()->current_test_info();
    directory_ =
        testing::TempDir() + "/" + test.test_suite_name() + "_" + test.name();
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    Declare(Tiny());
  }

  void Declare(const ModelConfig& config) {
    specs_.clear();
    for (const TensorInfo& t : AllTensors(config)) {
      Shape shape = t.shape;
      std::replace(shape.begin(), shape.end(), 0, 7);  // The shared width.
      specs_.push_back({t.name, DType::kF32, shape});
    }
  }

  TensorSpec& Spec(const std::string& name) {
    const auto it = std::find_if(specs_.begin(), specs_.end(),
                                 [&](const auto& s) { return s.name == name; });
    EXPECT_NE(it, specs_.end()) << name;
    return *it;
  }

  // All numbers are 1, except the last one of tensor `changed`.
  Checkpoint Write(const std::string& changed = "", float number = 1) {
    const std::string path = directory_ + "/model.safetensors";
    auto writer = SafetensorsWriter::Create(path, specs_);
    EXPECT_TRUE(writer.ok()) << writer.status();
    for (const TensorSpec& spec : specs_) {
      std::size_t count = 1;
      for (const std::int64_t n : spec.shape) count *= n;
      std::vector<float> values(count, 1);
      if (spec.name == changed) values.back() = number;
      EXPECT_TRUE(writer->AppendFloats(spec.name, values).ok());
    }
    EXPECT_TRUE(writer->Finish().ok());
    auto checkpoint = Checkpoint::Open(directory_);
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
    return *std::move(checkpoint);
  }

  std::string directory_;
  std::vector<TensorSpec> specs_;
};

}  // namespace apollo

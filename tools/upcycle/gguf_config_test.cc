// The configuration and the tensors of a GGUF model that are taken or refused.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tools/upcycle/dense_base.h"
#include "tools/upcycle/gguf_test_files.h"

namespace apollo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Change = std::function<void(GgufBuilder&)>;

BaseConfig Config(const Change& change) {
  TinyModel model;
  change(model.builder);
  const auto base = OpenTiny(model);
  if (!base.ok()) {
    ADD_FAILURE() << base.status();
    return {};
  }
  return (*base)->config();
}

std::string Error(const Change& change) {
  TinyModel model;
  change(model.builder);
  return ErrorOf(OpenTiny(model).status());
}

std::string ErrorWithU32(const std::string& key, std::uint32_t value) {
  return Error([&](GgufBuilder& file) { file.AddU32(key, value); });
}

TEST(GgufConfigTest, AllEndTokensAreRead) {
  const auto ends = [](const Change& change) {
    return Config(change).eos_token_ids;
  };
  EXPECT_THAT(ends([](GgufBuilder&) {}), ElementsAre(1));
  EXPECT_THAT(ends([](GgufBuilder& file) {
                file.AddU32("tokenizer.ggml.eot_token_id", 3);
                file.AddU32("tokenizer.ggml.eom_token_id", 2);
              }),
              ElementsAre(1, 3, 2));
  EXPECT_THAT(ends([](GgufBuilder& file) {
                file.AddU32("tokenizer.ggml.eot_token_id", 1);
              }),
              ElementsAre(1));
  EXPECT_THAT(
      ErrorWithU32("tokenizer.ggml.eot_token_id", 98),
      HasSubstr("the end-of-text token id 98 is not in the vocabulary"));
}

TEST(GgufConfigTest, SizesMayBeGivenForEachLayer) {
  EXPECT_EQ(Config([](GgufBuilder& file) {
              file.AddI32s("llama.attention.head_count_kv", {1, 1, 1});
              file.AddI32s("llama.feed_forward_length", {64, 64, 64});
            }).num_kv_heads,
            1);
  EXPECT_EQ(Error([](GgufBuilder& file) {
              file.AddI32s("llama.attention.head_count_kv", {1, 2, 1});
            }),
            "base.gguf: key \"llama.attention.head_count_kv\" differs between "
            "layers, 1 and 2; all must be equal");
  EXPECT_THAT(Error([](GgufBuilder& file) {
                file.AddI32s("llama.feed_forward_length", {});
              }),
              HasSubstr("is not an integer for each layer"));
}

TEST(GgufConfigTest, TheChatTemplateIsKept) {
  const std::string text = "{{ bos_token }}{% for m in messages %}...";
  const BaseConfig config = Config([&](GgufBuilder& file) {
    file.AddString("tokenizer.chat_template", text);
  });
  EXPECT_EQ(config.chat_files.at("chat_template.jinja"), text);
  EXPECT_EQ(config.chat_files.count("tokenizer_config.json"), 1u);
}

TEST(GgufConfigTest, NumbersKeepTheirShortestForm) {
  const BaseConfig config = Config([](GgufBuilder& file) {
    file.AddF32("llama.rope.freq_base", 1234567.9f);
    // A float64 that no float32 equals.
    file.AddRaw("llama.attention.layer_norm_rms_epsilon", 12,
                std::string("\x3a\x8c\x30\xe2\x8e\x79\x45\x3e", 8));
  });
  EXPECT_EQ(config.rope_theta, 1234567.9);
  EXPECT_EQ(config.rms_norm_eps, 1e-8);
}

TEST(GgufConfigTest, OtherArchitecturesAreRefusedByName) {
  TinyModel model;
  model.architecture = "gemma3";
  EXPECT_EQ(ErrorOf(OpenTiny(model).status()),
            "base.gguf: key \"general.architecture\" is \"gemma3\"; these can "
            "be converted: llama, qwen2, qwen3");
  EXPECT_THAT(Error([](GgufBuilder& file) {
                file.AddString("general.type", "adapter");
              }),
              HasSubstr("key \"general.type\" is \"adapter\"; only files of "
                        "the type \"model\" can be converted"));
}

// A key, a value that asks for another computation, and a part of the error.
struct Refused {
  const char* key;
  std::uint32_t value;
  const char* error;
};

class RefusedKeyTest : public testing::TestWithParam<Refused> {};

TEST_P(RefusedKeyTest, IsNamed) {
  const std::string key = GetParam().key;
  const std::string error = ErrorWithU32(key, GetParam().value);
  EXPECT_THAT(error, HasSubstr("base.gguf: key \"" + key + "\" is " +
                               std::to_string(GetParam().value)));
  EXPECT_THAT(error, HasSubstr(GetParam().error));
}

INSTANTIATE_TEST_SUITE_P(
    AllKeys, RefusedKeyTest,
    testing::Values(
        Refused{"llama.attention.key_length", 0, "must be at least 1"},
        Refused{"llama.attention.value_length", 8, "heads of keys, 16"},
        Refused{"llama.rope.dimension_count", 8, "heads of keys, 16"},
        Refused{"llama.vocab_size", 6, "of token_embd.weight, 98"},
        Refused{"llama.attention.sliding_window", 64,
                "0 or at least the context_length, 128"},
        Refused{"llama.attention.scale", 1, "square root of the size"},
        Refused{"llama.attention.causal", 0, "must be true"},
        Refused{"llama.attention.clamp_kqv", 8, "clamped"},
        Refused{"llama.attention.max_alibi_bias", 8, "ALiBi"},
        Refused{"llama.attention.output_scale", 2, "must be 1"},
        Refused{"llama.attention.temperature_length", 2, "scaled attention"},
        Refused{"llama.attn_logit_softcapping", 50, "soft caps"},
        Refused{"llama.final_logit_softcapping", 30, "soft caps"},
        Refused{"llama.logit_scale", 16, "scaled logits"},
        Refused{"llama.residual_scale", 2, "scaled residuals"},
        Refused{"llama.embedding_scale", 12, "scaled embeddings"},
        Refused{"llama.expert_count", 8, "asks for experts"},
        Refused{"llama.expert_used_count", 2, "asks for experts"},
        Refused{"llama.expert_shared_count", 1, "shared experts"},
        Refused{"llama.nextn_predict_layers", 1, "several tokens"},
        Refused{"llama.pooling_type", 1, "an embedding of the text"},
        Refused{"llama.use_parallel_residual", 1, "parallel residuals"},
        Refused{"tokenizer.ggml.add_eos_token", 1, "an end token"},
        Refused{"tokenizer.ggml.add_sep_token", 1, "a separator"}));

TEST(GgufConfigTest, NeutralValuesOfThoseKeysLoad) {
  const BaseConfig config = Config([](GgufBuilder& file) {
    file.AddU32("llama.attention.key_length", 16);
    file.AddU32("llama.rope.dimension_count", 16);
    file.AddU32("llama.vocab_size", 98);
    file.AddU32("llama.attention.sliding_window", 128);
    file.AddF32("llama.attention.scale", 0.25f);
    file.AddBool("llama.attention.causal", true);
    file.AddU32("llama.expert_count", 0);
    file.AddF32("llama.logit_scale", 1);
    file.AddBool("llama.use_parallel_residual", false);
    file.AddI32s("llama.rope.dimension_sections", {0, 0, 0, 0});
    file.AddBool("tokenizer.ggml.add_eos_token", false);
    file.AddString("general.type", "model");
    file.AddString("quantize.imatrix.file", "x");
  });
  EXPECT_THAT(config.warnings, IsEmpty());
  EXPECT_THAT(Error([](GgufBuilder& file) {
                file.AddI32s("llama.rope.dimension_sections", {16, 24, 24, 0});
              }),
              HasSubstr("sections of positions"));
  EXPECT_THAT(Error([](GgufBuilder& file) {
                file.AddI32s("tokenizer.ggml.suppress_tokens", {0});
              }),
              HasSubstr("it must be empty"));
}

TEST(GgufConfigTest, UnknownKeysAreWarnings) {
  const BaseConfig config = Config([](GgufBuilder& file) {
    file.AddU32("llama.attention.hyper_bias", 1);
    file.AddString("tokenizer.chat_template.tool_use", "x");
    file.AddBool("tokenizer.ggml.add_space_prefix", true);
    file.AddU64("general.something", ~std::uint64_t{0});
  });
  ASSERT_EQ(config.warnings.size(), 3u);
  EXPECT_THAT(config.warnings[0],
              HasSubstr("key \"llama.attention.hyper_bias\" is not known"));
  EXPECT_THAT(config.warnings[1],
              HasSubstr("key \"tokenizer.chat_template.tool_use\""));
  EXPECT_THAT(config.warnings[2], HasSubstr("byte-level tokenizers add no"));
}

TEST(GgufConfigTest, TensorsThatWouldNotBeReadAreRefused) {
  for (const auto& [name, reason] :
       {std::pair{"blk.1.attn_output.bias", "this bias is not computed"},
        {"blk.2.ffn_down.bias", "this bias is not computed"},
        // q, k and v have no biases in layer 0.
        {"blk.1.attn_q.bias", "this bias is not computed"},
        {"blk.0.attn_q_norm.weight", "norms of queries"},
        {"blk.0.attn_k_norm.weight", "norms of keys"},
        {"blk.0.ffn_gate_inp.weight", "experts"},
        {"blk.0.ffn_up_exps.weight", "experts"},
        {"blk.0.attn_qkv.weight", "joined queries"},
        {"blk.0.attn_q.scale", "scales of tensors"},
        {"blk.3.attn_norm.weight", "not below the block_count"},
        {"blk.01.attn_norm.weight", "no Llama or Qwen model has it"},
        {"rope_factors_long.weight", "LongRoPE"},
        {"output_norm.bias", "this bias is not computed"},
        {"surprise", "no Llama or Qwen model has it"}}) {
    const std::string error = Error([&](GgufBuilder& file) {
      file.AddTensor(name, {1}, kGgmlF32, GgufBuilder::Floats({1}));
    });
    EXPECT_THAT(error, HasSubstr("base.gguf: tensor \"" + std::string(name) +
                                 "\" cannot be converted: "));
    EXPECT_THAT(error, HasSubstr(reason));
  }
}

}  // namespace
}  // namespace apollo

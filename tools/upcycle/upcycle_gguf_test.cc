// A tiny GGUF file, upcycled end to end.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "common/json.h"
#include "common/mapped_file.h"
#include "model/safetensors/convert.h"
#include "model/safetensors/reader.h"
#include "tools/upcycle/ggml_type.h"
#include "tools/upcycle/gguf_builder.h"
#include "tools/upcycle/options.h"
#include "tools/upcycle/tiny_gguf.h"
#include "tools/upcycle/upcycler.h"

namespace apollo {
namespace {

using ::testing::HasSubstr;

class UpcycleGgufTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "/upcycle_gguf_" +
                 testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    options_.input = directory_ + "/base.gguf";
    options_.output = directory_ + "/model";
    options_.norm_topk_prob = true;
    options_.seed = 1;
  }

  absl::Status Run(TinyModel& model) {
    std::ofstream(options_.input, std::ios::binary) << model.Build();
    return Upcycle(options_, [this](const std::string& line) {
      progress_ += line + "\n";
    });
  }

  std::string Error(TinyModel model) {
    const absl::Status status = Run(model);
    EXPECT_FALSE(std::filesystem::exists(options_.output));
    EXPECT_FALSE(std::filesystem::exists(options_.output + ".partial"));
    return std::string(status.message());
  }

  SafetensorsFile Weights() {
    auto file = SafetensorsFile::Open(options_.output + "/model.safetensors");
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }

  Json ReadJson(const std::string& name) {
    const auto text = ReadFile(options_.output + "/" + name, 1 << 20);
    EXPECT_TRUE(text.ok()) << text.status();
    return *ParseJson(text.value_or("null"), name);
  }

  static std::vector<float> Values(const SafetensorsFile& file,
                                   const std::string& name) {
    const TensorView* view = file.Find(name);
    if (view == nullptr) {
      ADD_FAILURE() << name << " is missing";
      return {};
    }
    std::vector<float> values(static_cast<std::size_t>(view->NumElements()));
    EXPECT_TRUE(ToFloat32(*view, values.data()).ok());
    return values;
  }

  std::string directory_;
  UpcycleOptions options_;
  std::string progress_;
};

TEST_F(UpcycleGgufTest, ExpertsAreCopiesOfTheLastLayersMlp) {
  TinyModel model;
  const absl::Status status = Run(model);
  ASSERT_TRUE(status.ok()) << status;
  const SafetensorsFile file = Weights();
  EXPECT_EQ(Values(file, "model.embed_tokens.weight"),
            model.values["token_embd.weight"]);
  EXPECT_EQ(Values(file, "model.norm.weight"),
            model.values["output_norm.weight"]);
  EXPECT_EQ(Values(file, "model.layers.0.mlp.down_proj.weight"),
            model.values["blk.0.ffn_down.weight"]);
  EXPECT_EQ(Values(file, "model.layers.0.self_attn.v_proj.weight"),
            model.values["blk.0.attn_v.weight"]);
  for (const char* layer : {"1", "2"}) {
    const std::string mlp = std::string("model.layers.") + layer + ".mlp.";
    const std::string block = std::string("blk.") + layer + ".ffn_";
    for (int expert = 0; expert < 7; ++expert) {
      for (const char* part : {"gate", "up", "down"}) {
        EXPECT_EQ(Values(file, mlp + "experts." + std::to_string(expert) + "." +
                                   part + "_proj.weight"),
                  model.values[block + part + ".weight"]);
      }
    }
    EXPECT_EQ(file.Find(mlp + "gate.weight")->shape,
              (std::vector<std::int64_t>{7, kHidden}));
    EXPECT_EQ(file.Find(mlp + "gate_proj.weight"), nullptr);
  }
  EXPECT_EQ(file.Find("lm_head.weight"), nullptr);
  // 2 tensors outside the layers, 6 attention and norm tensors per layer, 3 of
  // the dense MLP, and in the sparse layers a gate and 7 x 3 of the experts.
  EXPECT_EQ(file.tensors().size(), 2u + 3 * 6 + 3 + 2 * (1 + 21));
  EXPECT_THAT(progress_,
              HasSubstr("layer 1 of 3, dense\nlayer 2 of 3, 7 experts"));
}

TEST_F(UpcycleGgufTest, WritesThePublishedConfig) {
  TinyModel model;
  ASSERT_TRUE(Run(model).ok());
  EXPECT_EQ(ReadJson("config.json"),
            Json({{"architectures", {"UpcyclingQwen2MoeForCausalLM"}},
                  {"model_type", "upcycling-qwen2-moe"},
                  {"hidden_size", 32},
                  {"intermediate_size", 64},
                  {"moe_intermediate_size", 64},
                  {"num_hidden_layers", 3},
                  {"mlp_only_layers", Json::array({0})},
                  {"num_attention_heads", 2},
                  {"num_key_value_heads", 1},
                  {"attention_bias", false},
                  {"num_experts", 7},
                  {"num_experts_per_tok", 2},
                  {"norm_topk_prob", true},
                  {"decoder_sparse_step", 1},
                  {"share_flag", false},
                  {"language_gate", true},
                  {"tie_word_embeddings", true},
                  {"hidden_act", "silu"},
                  {"rope_theta", 100000.0},
                  {"rms_norm_eps", 1e-5},
                  {"vocab_size", kVocabulary},
                  {"max_position_embeddings", 128},
                  {"use_sliding_window", false},
                  {"bos_token_id", 0},
                  {"eos_token_id", 1},
                  {"torch_dtype", "float32"},
                  {"prompt_format", "apollo"}}));
  EXPECT_EQ(ReadJson("tokenizer.json")["model"]["vocab"]["ab"], 4);
}

TEST_F(UpcycleGgufTest, LlamaQueriesAndKeysGetTheirHalvesBack) {
  TinyModel model;
  model.biases = true;
  ASSERT_TRUE(Run(model).ok());
  const SafetensorsFile file = Weights();
  // Rows 2i and 2i + 1 of a head (of 16 rows) in the file are rows i and i + 8
  // of the half-split layout.
  const auto stored_row = [](std::size_t head, std::size_t place) {
    return head * 16 + (place < 8 ? 2 * place : 2 * (place - 8) + 1);
  };
  for (const auto& [letter, heads] : {std::pair{"q", 2u}, {"k", 1u}}) {
    const std::string name =
        std::string("model.layers.2.self_attn.") + letter + "_proj.";
    const std::string stored = std::string("blk.2.attn_") + letter;
    const auto weight = Values(file, name + "weight");
    const auto bias = Values(file, name + "bias");
    const auto& stored_weight = model.values[stored + ".weight"];
    const auto& stored_bias = model.values[stored + ".bias"];
    for (std::size_t head = 0; head < heads; ++head) {
      for (std::size_t place = 0; place < 16; ++place) {
        const std::size_t row = head * 16 + place;
        const std::size_t from = stored_row(head, place);
        EXPECT_EQ(bias[row], stored_bias[from]) << letter << row;
        for (std::size_t i = 0; i < kHidden; ++i) {
          ASSERT_EQ(weight[row * kHidden + i],
                    stored_weight[from * kHidden + i])
              << letter << row;
        }
      }
    }
  }
  EXPECT_EQ(Values(file, "model.layers.2.self_attn.v_proj.bias"),
            model.values["blk.2.attn_v.bias"]);
  EXPECT_EQ(ReadJson("config.json")["attention_bias"], true);
}

TEST_F(UpcycleGgufTest, Qwen2IsStoredInOrder) {
  TinyModel model;
  model.architecture = "qwen2";
  model.biases = true;
  model.untied = true;
  model.chat_template = "{{ '<|im_start|>' + messages[0].content }}";
  ASSERT_TRUE(Run(model).ok());
  const SafetensorsFile file = Weights();
  EXPECT_EQ(Values(file, "model.layers.0.self_attn.q_proj.weight"),
            model.values["blk.0.attn_q.weight"]);
  EXPECT_EQ(Values(file, "model.layers.0.self_attn.k_proj.bias"),
            model.values["blk.0.attn_k.bias"]);
  EXPECT_EQ(Values(file, "lm_head.weight"), model.values["output.weight"]);
  const Json config = ReadJson("config.json");
  EXPECT_EQ(config["tie_word_embeddings"], false);
  EXPECT_EQ(config["prompt_format"], "template");
}

TEST_F(UpcycleGgufTest, Qwen3KeepsItsNormsAndItsHeadSize) {
  TinyModel model;
  model.architecture = "qwen3";
  model.head_size = 24;
  ASSERT_EQ(Run(model), absl::OkStatus());
  const SafetensorsFile file = Weights();
  EXPECT_EQ(Values(file, "model.layers.1.self_attn.q_proj.weight"),
            model.values["blk.1.attn_q.weight"]);
  EXPECT_EQ(Values(file, "model.layers.2.self_attn.q_norm.weight"),
            model.values["blk.2.attn_q_norm.weight"]);
  EXPECT_EQ(Values(file, "model.layers.2.self_attn.k_norm.weight"),
            model.values["blk.2.attn_k_norm.weight"]);
  const Json config = ReadJson("config.json");
  EXPECT_EQ(config["use_qk_norm"], true);
  EXPECT_EQ(config["head_dim"], 24);
}

TEST_F(UpcycleGgufTest, NormsOfQwen3MustBeThere) {
  TinyModel model;
  model.architecture = "qwen3";
  model.left_out = "blk.1.attn_k_norm.weight";
  EXPECT_THAT(std::string(Run(model).message()),
              HasSubstr("blk.1.attn_k_norm.weight"));
}

TEST_F(UpcycleGgufTest, QuantisedWeightsAreWidened) {
  TinyModel model;
  model.mlp_type = kGgmlQ8_0;
  options_.experts = 2;
  ASSERT_TRUE(Run(model).ok());
  const SafetensorsFile file = Weights();
  const auto values =
      Values(file, "model.layers.2.mlp.experts.1.up_proj.weight");
  ASSERT_EQ(values.size(), kHidden * kMlp);
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(values[i], 0.25f * static_cast<float>(i % 32));
  }
}

TEST_F(UpcycleGgufTest, WritesTheTypeAskedFor) {
  for (const auto& [dtype, name] :
       {std::pair{DType::kF16, "float16"}, {DType::kBF16, "bfloat16"}}) {
    TinyModel model;
    options_.dtype = dtype;
    options_.overwrite = true;
    ASSERT_TRUE(Run(model).ok());
    const SafetensorsFile file = Weights();
    for (const auto& [unused, view] : file.tensors())
      EXPECT_EQ(view.dtype, dtype);
    EXPECT_EQ(ReadJson("config.json")["torch_dtype"], name);
  }
}

TEST_F(UpcycleGgufTest, TheSeedDecidesTheGates) {
  const auto gate = [this](std::uint64_t seed) {
    TinyModel model;
    options_.seed = seed;
    options_.overwrite = true;
    EXPECT_TRUE(Run(model).ok());
    return Values(Weights(), "model.layers.2.mlp.gate.weight");
  };
  const auto first = gate(1);
  EXPECT_EQ(first, gate(1));
  EXPECT_NE(first, gate(2));
}

TEST_F(UpcycleGgufTest, AllLayersMayBecomeSparse) {
  TinyModel model;
  options_.sparse_layers = 3;
  options_.prompt_format = PromptFormatChoice::kChatMl;
  ASSERT_TRUE(Run(model).ok());
  const Json config = ReadJson("config.json");
  EXPECT_EQ(config["mlp_only_layers"], Json::array());
  EXPECT_EQ(config["prompt_format"], "chatml");
}

TEST_F(UpcycleGgufTest, NamesABrokenTensor) {
  const std::string where = options_.input + ": tensor ";
  TinyModel missing;
  missing.left_out = "blk.2.attn_v.weight";
  EXPECT_EQ(Error(missing), where + "\"blk.2.attn_v.weight\" is missing");
  TinyModel no_embedding;
  no_embedding.left_out = "token_embd.weight";
  EXPECT_EQ(Error(no_embedding), where + "\"token_embd.weight\" is missing");
  TinyModel shape;
  shape.odd_up = {kHidden, kMlp + 1};
  EXPECT_EQ(Error(shape),
            where +
                "\"blk.1.ffn_up.weight\": shape [65, 32], but the "
                "config requires [64, 32]");
  TinyModel flat;
  flat.odd_up = {kHidden * kMlp};
  EXPECT_THAT(Error(flat), HasSubstr("\"blk.1.ffn_up.weight\": shape [2048]"));
  TinyModel unreadable;
  unreadable.left_out = "blk.0.attn_norm.weight";
  unreadable.builder.AddTensor("blk.0.attn_norm.weight", {kHidden}, 39,
                               std::string(17, '\0'));
  EXPECT_THAT(
      Error(unreadable),
      HasSubstr("\"blk.0.attn_norm.weight\": quantisation MXFP4 cannot be "
                "read; readable are F32"));
  TinyModel infinite;
  infinite.poison = std::numeric_limits<float>::infinity();
  EXPECT_EQ(Error(infinite),
            where + "\"blk.1.ffn_gate.weight\" holds an infinity or NaN");
  TinyModel large;
  large.poison = 1e6f;
  options_.dtype = DType::kF16;
  EXPECT_THAT(Error(large), HasSubstr("too large for f16; choose bf16 or f32"));
}

TEST_F(UpcycleGgufTest, RefusesWhatTheFormatCannotSay) {
  TinyModel heads;
  heads.kv_heads = 3;
  EXPECT_THAT(Error(heads), HasSubstr("2 attention heads cannot share 3"));
  TinyModel scaling;
  scaling.builder.AddString("llama.rope.scaling.type", "longrope");
  EXPECT_THAT(Error(scaling), HasSubstr("llama.rope.scaling.type\" is"));
  TinyModel tokens;
  std::vector<std::string> texts = TinyTokens();
  texts.push_back("abc");
  tokens.builder.AddStrings("tokenizer.ggml.tokens", texts);
  tokens.builder.AddI32s("tokenizer.ggml.token_type",
                         std::vector<std::int32_t>(texts.size(), 1));
  EXPECT_EQ(Error(tokens), options_.input +
                               ": key \"tokenizer.ggml.tokens\" has 99 tokens, "
                               "but the embedding 98 rows");
  TinyModel unusable;
  texts = TinyTokens();
  texts[5] = "!!";  // No token for "!".
  unusable.builder.AddStrings("tokenizer.ggml.tokens", texts);
  EXPECT_THAT(Error(unusable), HasSubstr("lacks printable ASCII characters"));
}

TEST_F(UpcycleGgufTest, ScaledPositionsAreCarriedOver) {
  TinyModel model;
  model.builder.AddString("llama.rope.scaling.type", "yarn");
  model.builder.AddF32("llama.rope.scaling.factor", 4);
  model.builder.AddU32("llama.rope.scaling.original_context_length", 32);
  model.builder.AddF32("llama.rope.scaling.yarn_beta_fast", 16);
  ASSERT_TRUE(Run(model).ok());
  EXPECT_EQ(ReadJson("config.json")["rope_scaling"],
            Json({{"rope_type", "yarn"},
                  {"factor", 4.0},
                  {"original_max_position_embeddings", 32},
                  {"beta_fast", 16.0}}));
}

TEST_F(UpcycleGgufTest, EndTokensAndChatTemplateAreCarriedOver) {
  TinyModel model;
  model.builder.AddU32("tokenizer.ggml.eot_token_id", 0);
  model.builder.AddU32("llama.attention.surprise", 0);
  model.chat_template = "{{ messages[0].content }}";
  ASSERT_TRUE(Run(model).ok());
  Json config = ReadJson("config.json");
  EXPECT_EQ(config["eos_token_id"], Json({1, 0}));
  EXPECT_EQ(config["prompt_format"], "template");
  EXPECT_TRUE(ReadJson("tokenizer_config.json").contains("eos_token"));
  model = TinyModel();
  model.chat_template = "{{ messages[0].content }}";
  options_.prompt_format = PromptFormatChoice::kApollo;
  options_.overwrite = true;
  ASSERT_TRUE(Run(model).ok());
  EXPECT_EQ(ReadJson("config.json")["prompt_format"], "apollo");
  EXPECT_EQ(
      ReadFile(options_.output + "/chat_template.jinja", 1000).value_or(""),
      model.chat_template);
  EXPECT_THAT(progress_, HasSubstr("warning: " + options_.input +
                                   ": key \"llama.attention.surprise\""));
}

TEST_F(UpcycleGgufTest, NamesAnOptionOutOfRange) {
  const auto error = [this](auto change) {
    const UpcycleOptions kept = options_;
    change(options_);
    const std::string message = Error(TinyModel());
    options_ = kept;
    return message;
  };
  EXPECT_EQ(
      error([](UpcycleOptions& o) { o.sparse_layers = 4; }),
      "--sparse-layers is 4; it must be from 1 to the number of layers of the "
      "base, 3");
  EXPECT_THAT(error([](UpcycleOptions& o) { o.sparse_layers = 0; }),
              HasSubstr("--sparse-layers is 0"));
  EXPECT_EQ(error([](UpcycleOptions& o) { o.top_k = 8; }),
            "--top-k is 8; it must be from 1 to the number of experts, 7");
  EXPECT_THAT(error([](UpcycleOptions& o) { o.experts = 0; }),
              HasSubstr("--experts is 0"));
  EXPECT_THAT(error([](UpcycleOptions& o) { o.gate_std = -1; }),
              HasSubstr("--gate-std is -1"));
}

TEST_F(UpcycleGgufTest, ReplacesOnlyAModelAndOnlyWhenTold) {
  TinyModel first;
  ASSERT_TRUE(Run(first).ok());
  TinyModel again;
  EXPECT_EQ(Run(again).message(),
            options_.output + " exists; --overwrite replaces it");
  TinyModel replaced;
  options_.overwrite = true;
  options_.experts = 3;
  ASSERT_TRUE(Run(replaced).ok());
  EXPECT_EQ(ReadJson("config.json")["num_experts"], 3);
  EXPECT_FALSE(std::filesystem::exists(options_.output + ".replaced"));

  options_.output = directory_ + "/photographs";
  std::filesystem::create_directory(options_.output);
  std::ofstream(options_.output + "/holiday") << "x";
  TinyModel other;
  EXPECT_THAT(Run(other).message(),
              HasSubstr("is neither a model directory nor"));
  EXPECT_TRUE(std::filesystem::exists(options_.output + "/holiday"));
}

TEST_F(UpcycleGgufTest, NamesAnInputThatIsNotThere) {
  options_.input = directory_ + "/nothing.gguf";
  EXPECT_THAT(Upcycle(options_, [](const std::string&) {}).message(),
              HasSubstr(options_.input + " does not exist"));
}

}  // namespace
}  // namespace apollo

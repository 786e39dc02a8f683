// A tiny Hugging Face directory, upcycled end to end.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "common/json.h"
#include "common/mapped_file.h"
#include "model/safetensors/convert.h"
#include "model/safetensors/reader.h"
#include "model/safetensors/writer.h"
#include "model/tokenizer/test_tokenizer.h"
#include "tools/upcycle/options.h"
#include "tools/upcycle/upcycler.h"

namespace apollo {
namespace {

using ::testing::HasSubstr;

constexpr int kVocab = 262;  // Tokens of TestTokenizerJson.

// Returns a number that is exact in 16 bits.
float Number(std::size_t tensor, std::size_t i) {
  return static_cast<float>((tensor * 3 + i) % 251);
}

class UpcycleHfTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "/upcycle_hf_" +
                 testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_ + "/base");
    options_.input = directory_ + "/base";
    options_.output = directory_ + "/model";
    options_.sparse_layers = 1;
    options_.experts = 3;
    // 2 layers, hidden 8, 2 heads of 4, 1 key/value head, MLP 12, vocabulary
    // 262.
    config_ = {{"architectures", {"Qwen2ForCausalLM"}},
               {"model_type", "qwen2"},
               {"hidden_size", 8},
               {"intermediate_size", 12},
               {"num_hidden_layers", 2},
               {"num_attention_heads", 2},
               {"num_key_value_heads", 1},
               {"vocab_size", kVocab},
               {"max_position_embeddings", 64},
               {"rope_theta", 1000000.0},
               {"rms_norm_eps", 1e-6},
               {"hidden_act", "silu"},
               {"tie_word_embeddings", false},
               {"use_sliding_window", false},
               {"bos_token_id", 0},
               {"eos_token_id", 5}};
    tokenizer_ = TestTokenizerJson();
    Write("tokenizer.json", tokenizer_.dump());
    tensors_ = {{"model.embed_tokens.weight", dtype_, {kVocab, 8}},
                {"model.norm.weight", dtype_, {8}},
                {"lm_head.weight", dtype_, {kVocab, 8}}};
    for (const std::string layer : {"0", "1"}) {
      const std::string p = "model.layers." + layer + ".";
      for (const auto& [name, shape] :
           std::vector<std::pair<std::string, std::vector<std::int64_t>>>{
               {"input_layernorm.weight", {8}},
               {"post_attention_layernorm.weight", {8}},
               {"self_attn.q_proj.weight", {8, 8}},
               {"self_attn.q_proj.bias", {8}},
               {"self_attn.k_proj.weight", {4, 8}},
               {"self_attn.k_proj.bias", {4}},
               {"self_attn.v_proj.weight", {4, 8}},
               {"self_attn.v_proj.bias", {4}},
               {"self_attn.o_proj.weight", {8, 8}},
               {"mlp.gate_proj.weight", {12, 8}},
               {"mlp.up_proj.weight", {12, 8}},
               {"mlp.down_proj.weight", {8, 12}}}) {
        tensors_.push_back({p + name, dtype_, shape});
      }
    }
  }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ + "/base/" + name) << text;
  }

  TensorSpec& Spec(const std::string& name) {
    return *std::find_if(
        tensors_.begin(), tensors_.end(),
        [&](const TensorSpec& spec) { return spec.name == name; });
  }

  // Writes tensors [begin, end) of the list. Their numbers are all different
  // and exact in 16 bits.
  void WriteTensors(const std::string& file, std::size_t begin,
                    std::size_t end) {
    const std::vector<TensorSpec> specs(
        tensors_.begin() + static_cast<std::ptrdiff_t>(begin),
        tensors_.begin() + static_cast<std::ptrdiff_t>(end));
    auto writer =
        SafetensorsWriter::Create(directory_ + "/base/" + file, specs);
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (std::size_t t = 0; t < specs.size(); ++t) {
      std::size_t count = 1;
      for (const std::int64_t size : specs[t].shape) {
        count *= static_cast<std::size_t>(size);
      }
      std::vector<float> values(count);
      for (std::size_t i = 0; i < count; ++i) {
        values[i] = Number(begin + t, i);
      }
      if (specs[t].name == infinite_) {
        values.back() = std::numeric_limits<float>::infinity();
      }
      ASSERT_TRUE(writer->AppendFloats(specs[t].name, values).ok());
    }
    ASSERT_TRUE(writer->Finish().ok());
  }

  absl::Status Run() {
    Write("config.json", config_.dump());
    if (!sharded_) WriteTensors("model.safetensors", 0, tensors_.size());
    return Upcycle(options_, [](const std::string&) {});
  }

  std::string Error() {
    const absl::Status status = Run();
    EXPECT_FALSE(status.ok());
    EXPECT_FALSE(std::filesystem::exists(options_.output));
    EXPECT_FALSE(std::filesystem::exists(options_.output + ".partial"));
    return std::string(status.message());
  }

  Json OutputConfig() {
    const auto text = ReadFile(options_.output + "/config.json", 1 << 20);
    EXPECT_TRUE(text.ok()) << text.status();
    return *ParseJson(text.value_or("null"), "config.json");
  }

  void ExpectSameTensors() {
    const auto output =
        SafetensorsFile::Open(options_.output + "/model.safetensors");
    ASSERT_TRUE(output.ok()) << output.status();
    std::size_t compared = 0;
    for (std::size_t t = 0; t < tensors_.size(); ++t) {
      const std::string& name = tensors_[t].name;
      std::vector<std::string> copies = {name};
      if (const auto mlp = name.find("layers.1.mlp.");
          mlp != std::string::npos) {
        copies.clear();
        for (const char* expert : {"0.", "1.", "2."}) {
          copies.push_back("model.layers.1.mlp.experts." + std::string(expert) +
                           name.substr(mlp + 13));
        }
      }
      for (const std::string& copy : copies) {
        const TensorView* view = output->Find(copy);
        ASSERT_NE(view, nullptr) << copy;
        EXPECT_EQ(view->shape, tensors_[t].shape);
        EXPECT_EQ(view->dtype, tensors_[t].dtype);
        std::vector<float> values(
            static_cast<std::size_t>(view->NumElements()));
        ASSERT_TRUE(ToFloat32(*view, values.data()).ok());
        for (std::size_t i = 0; i < values.size(); ++i) {
          ASSERT_EQ(values[i], Number(t, i)) << copy;
        }
        ++compared;
      }
    }
    EXPECT_EQ(output->tensors().size(), compared + 1);  // Plus the gate.
  }

  std::string directory_;
  UpcycleOptions options_;
  Json config_;
  const DType dtype_ = DType::kBF16;
  std::vector<TensorSpec> tensors_;
  bool sharded_ = false;
  std::string infinite_;  // A tensor whose last number is infinite.
  Json tokenizer_;
};

TEST_F(UpcycleHfTest, KeepsTypeTensorsAndTokenizer) {
  const absl::Status status = Run();
  ASSERT_TRUE(status.ok()) << status;
  ExpectSameTensors();
  EXPECT_EQ(*ReadFile(options_.output + "/tokenizer.json", 1 << 20),
            tokenizer_.dump());
  const Json config = OutputConfig();
  EXPECT_EQ(config["torch_dtype"], "bfloat16");
  EXPECT_EQ(config["attention_bias"], true);
  EXPECT_EQ(config["tie_word_embeddings"], false);
  EXPECT_EQ(config["norm_topk_prob"], false);
  EXPECT_EQ(config["mlp_only_layers"], Json::array({0}));
  EXPECT_EQ(config["num_experts"], 3);
  EXPECT_EQ(config["eos_token_id"], 5);
  EXPECT_EQ(config["prompt_format"], "apollo");
  EXPECT_FALSE(config.contains("head_dim"));  // It follows from the others.
  EXPECT_FALSE(config.contains("use_qk_norm"));
}

TEST_F(UpcycleHfTest, ReadsShards) {
  sharded_ = true;
  WriteTensors("one.safetensors", 0, 10);
  WriteTensors("two.safetensors", 10, tensors_.size());
  Json map;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    map[tensors_[i].name] = i < 10 ? "one.safetensors" : "two.safetensors";
  }
  Write("model.safetensors.index.json", Json({{"weight_map", map}}).dump());
  const absl::Status status = Run();
  ASSERT_TRUE(status.ok()) << status;
  ExpectSameTensors();
}

TEST_F(UpcycleHfTest, ReadsLlamaAndTheNewerWayToWriteTheConfig) {
  config_["architectures"] = {"LlamaForCausalLM"};
  config_.erase("rope_theta");
  config_["rope_parameters"] = {{"rope_theta", 500.0},
                                {"rope_type", "default"}};
  config_["tie_word_embeddings"] = true;
  config_["eos_token_id"] = {5, 4};
  config_["bos_token_id"] = nullptr;
  config_["rope_scaling"] = nullptr;
  std::erase_if(tensors_, [](const TensorSpec& spec) {
    return spec.name.ends_with("bias") || spec.name == "lm_head.weight";
  });
  Write("tokenizer_config.json", R"({"chat_template": "<|im_start|>{{ x }}"})");
  const absl::Status status = Run();
  ASSERT_TRUE(status.ok()) << status;
  ExpectSameTensors();
  const Json config = OutputConfig();
  EXPECT_EQ(config["attention_bias"], false);
  EXPECT_EQ(config["tie_word_embeddings"], true);
  EXPECT_EQ(config["rope_theta"], 500.0);
  EXPECT_EQ(config["eos_token_id"], Json({5, 4}));
  EXPECT_FALSE(config.contains("bos_token_id"));
  EXPECT_EQ(config["prompt_format"], "template");
  EXPECT_EQ(
      ReadFile(options_.output + "/tokenizer_config.json", 1000).value_or(""),
      R"({"chat_template": "<|im_start|>{{ x }}"})");
}

TEST_F(UpcycleHfTest, TriesTheChatTemplate) {
  Write("chat_template.jinja", "{{ messages[0].content[:1] }}");
  EXPECT_THAT(Error(),
              AllOf(HasSubstr(options_.input + ": the chat template"),
                    HasSubstr("line 1"), HasSubstr("--prompt_format")));
  EXPECT_FALSE(std::filesystem::exists(options_.output));
  // One that is not used may be anything.
  options_.prompt_format = PromptFormatChoice::kApollo;
  const absl::Status status = Run();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(UpcycleHfTest, KeepsTheScalingOfPositions) {
  const Json yarn = {{"rope_type", "yarn"},
                     {"factor", 4.0},
                     {"original_max_position_embeddings", 16}};
  config_["rope_scaling"] = yarn;
  config_["rope_scaling"]["rope_theta"] = 500.0;
  ASSERT_TRUE(Run().ok());
  Json config = OutputConfig();
  EXPECT_EQ(config["rope_theta"], 500.0);  // That of the object wins.
  EXPECT_EQ(config["rope_scaling"], yarn);

  config_["rope_scaling"] = nullptr;
  config_["rope_parameters"] = {{"type", "yarn"}, {"factor", 4.0}};
  config_["original_max_position_embeddings"] = 16;
  options_.output += "2";
  ASSERT_TRUE(Run().ok());
  config = OutputConfig();
  EXPECT_EQ(config["rope_theta"], 1000000.0);
  EXPECT_EQ(config["rope_scaling"],
            Json({{"type", "yarn"},
                  {"factor", 4.0},
                  {"original_max_position_embeddings", 16}}));
}

TEST_F(UpcycleHfTest, ReadsQwen3WithItsNormsAndHeadSize) {
  config_["architectures"] = {"Qwen3ForCausalLM"};
  config_["head_dim"] = 6;
  config_["attention_bias"] = false;
  std::erase_if(tensors_, [](const TensorSpec& spec) {
    return spec.name.ends_with("bias");
  });
  for (const std::string layer : {"0", "1"}) {
    const std::string attention = "model.layers." + layer + ".self_attn.";
    Spec(attention + "q_proj.weight").shape = {12, 8};
    Spec(attention + "k_proj.weight").shape = {6, 8};
    Spec(attention + "v_proj.weight").shape = {6, 8};
    Spec(attention + "o_proj.weight").shape = {8, 12};
    tensors_.push_back({attention + "q_norm.weight", dtype_, {6}});
    tensors_.push_back({attention + "k_norm.weight", dtype_, {6}});
  }
  const absl::Status status = Run();
  ASSERT_TRUE(status.ok()) << status;
  ExpectSameTensors();
  const Json config = OutputConfig();
  EXPECT_EQ(config["use_qk_norm"], true);
  EXPECT_EQ(config["head_dim"], 6);
  EXPECT_EQ(config["attention_bias"], false);
  config_["head_dim"] = nullptr;  // The default of Qwen3 is 128.
  options_.overwrite = true;
  EXPECT_THAT(Run().message(), HasSubstr("the config requires [256, 8]"));
  config_["attention_bias"] = true;
  EXPECT_THAT(Run().message(), HasSubstr("attention_bias is true"));
}

TEST_F(UpcycleHfTest, TakesTheEndsOfBothFiles) {
  Write("generation_config.json",
        R"({"eos_token_id": [7, 5], "temperature": Infinity})");
  ASSERT_EQ(Run(), absl::OkStatus());
  EXPECT_EQ(OutputConfig()["eos_token_id"], Json({5, 7}));
  config_["eos_token_id"] = nullptr;
  options_.overwrite = true;
  ASSERT_EQ(Run(), absl::OkStatus());
  EXPECT_EQ(OutputConfig()["eos_token_id"], Json({7, 5}));
}

TEST_F(UpcycleHfTest, NamesAWrongGenerationConfig) {
  for (const auto& [text, error] :
       std::vector<std::pair<std::string, std::string>>{
           {"{", ": malformed JSON"},
           {"[]", ": must be a JSON object"},
           {R"({"eos_token_id": 262})", ": eos_token_id holds 262"},
           {R"({"eos_token_id": "x"})", ": eos_token_id must be a whole"}}) {
    Write("generation_config.json", text);
    EXPECT_THAT(Error(), HasSubstr("/generation_config.json" + error));
  }
}

TEST_F(UpcycleHfTest, TiedEmbeddingsMayHaveTheNameOfTheHead) {
  config_["tie_word_embeddings"] = true;
  tensors_.erase(tensors_.begin() + 2);
  Spec("model.embed_tokens.weight").name = "lm_head.weight";
  ASSERT_EQ(Run(), absl::OkStatus());
  Spec("lm_head.weight").name = "model.embed_tokens.weight";
  ExpectSameTensors();
}

TEST_F(UpcycleHfTest, RefusesATiedHeadThatIsNotTheEmbedding) {
  config_["tie_word_embeddings"] = true;
  EXPECT_THAT(Error(), HasSubstr("\"lm_head.weight\" is not read; it must be "
                                 "equal to model.embed_tokens.weight"));
}

TEST_F(UpcycleHfTest, RefusesTensorsThatWouldNotBeConverted) {
  tensors_.push_back({"x", dtype_, {1}});
  for (const auto& [name, error] :
       std::vector<std::pair<std::string, std::string>>{
           {"model.layers.0.self_attn.o_proj.bias", "\"attention_bias\""},
           {"model.layers.1.self_attn.q_norm.weight", "\"qwen3\""},
           {"model.layers.2.mlp.up_proj.weight", "\"num_hidden_layers\""},
           {"lm_head.bias", "no computation reads it"}}) {
    tensors_.back().name = name;
    EXPECT_THAT(Error(), HasSubstr("tensor \"" + name + "\" is not read; "));
    EXPECT_THAT(Error(), HasSubstr(error));
  }
}

TEST_F(UpcycleHfTest, WarnsOfWhatItDoesNotKnow) {
  tensors_.push_back({"x", dtype_, {1}});
  config_["unheard_of"] = 1;
  Write("config.json", config_.dump());
  WriteTensors("model.safetensors", 0, tensors_.size());
  std::string lines;
  const absl::Status status =
      Upcycle(options_, [&](const std::string& line) { lines += line + "\n"; });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(lines, HasSubstr("warning: " + options_.input +
                               "/config.json: "
                               "unknown keys"));
  EXPECT_THAT(lines, HasSubstr("unheard_of"));
  EXPECT_THAT(lines, HasSubstr("warning: " + options_.input + ": tensors"));
}

TEST_F(UpcycleHfTest, NamesABrokenTensor) {
  Spec("model.layers.1.mlp.up_proj.weight").shape = {8, 12};
  EXPECT_EQ(
      Error(),
      options_.input +
          "/model.safetensors: tensor \"model.layers.1.mlp.up_proj.weight\": "
          "shape [8, 12], but the config requires [12, 8]");
  Spec("model.layers.1.mlp.up_proj.weight").name = "x";
  EXPECT_EQ(Error(),
            options_.input +
                ": tensor \"model.layers.1.mlp.up_proj.weight\" is missing");
}

TEST_F(UpcycleHfTest, NumbersThatAreNotFiniteMatterInUsedKeysOnly) {
  WriteTensors("model.safetensors", 0, tensors_.size());
  const auto run = [this](const std::string& more) {
    std::string text = config_.dump();
    Write("config.json", text.insert(1, more));
    return Upcycle(options_, [](const std::string&) {});
  };
  EXPECT_EQ(run("\"attention_dropout\": NaN, "), absl::OkStatus());
  config_.erase("rms_norm_eps");
  options_.overwrite = true;
  EXPECT_THAT(std::string(run("\"rms_norm_eps\": Infinity, ").message()),
              HasSubstr("config.json: rms_norm_eps must be finite"));
}

TEST_F(UpcycleHfTest, RefusesConfigsThatTheFormatCannotSay) {
  const Json kept = config_;
  const std::vector<std::pair<Json, std::string>> cases = {
      {{{"architectures", {"GemmaForCausalLM"}}},
       "the architecture is neither"},
      {{{"architectures", "Qwen2ForCausalLM"}},
       "architectures must be an array"},
      {{{"rope_scaling", {{"type", "linear"}}}},
       "key \"rope_scaling.factor\" is missing"},
      {{{"rope_parameters", {{"rope_type", "dynamic"}, {"factor", 2}}}},
       "\"rope_parameters.rope_type\" is \"dynamic\"; it must be"},
      {{{"rope_scaling", {{"type", "mrope"}, {"mrope_section", {1, 1, 2}}}}},
       "\"rope_scaling.mrope_section\" is [1,1,2]; it must be null"},
      {{{"rope_scaling", "linear"}}, "it must be an object or null"},
      {{{"use_sliding_window", true}}, "use_sliding_window is true"},
      {{{"attention_bias", true}}, "attention_bias is true"},
      {{{"mlp_bias", true}}, "mlp_bias is true"},
      {{{"partial_rotary_factor", 0.5}},
       "\"partial_rotary_factor\" is 0.5; it must be 1 or null"},
      {{{"layer_types", {"full_attention", "sliding_attention"}}},
       "\"layer_types\" is [\"full_attention\",\"sliding_attention\"]"},
      {{{"hidden_act", "gelu"}}, "hidden_act must be"},
      {{{"quantization_config", Json::object()}},
       "quantization_config is present"},
      {{{"head_dim", 63}}, "head_dim is 63; it must be even"},
      {{{"head_dim", 65538}}, "head_dim is 65538; it must be even, from 2 to"},
      // Products beyond int.
      {{{"num_attention_heads", 65536}, {"head_dim", 65536}},
       "65536 attention heads of 65536 numbers are too many"},
      {{{"head_dim", 0}}, "head_dim is 0"},
      {{{"head_dim", -4}}, "head_dim is -4"},
      {{{"head_dim", "4"}}, "head_dim must be a whole number"},
      {{{"hidden_size", "8"}}, "hidden_size must be a whole number"},
      {{{"hidden_size", 8.5}}, "hidden_size must be a whole number"},
      {{{"hidden_size", -8}}, "the hidden size is -8"},
      {{{"hidden_size", 10}}, "must give an even head size"},
      {{{"hidden_size", 18446744073709551615u}}, "hidden_size must be"},
      {{{"num_hidden_layers", 1000000}}, "the number of layers is 1000000"},
      {{{"num_key_value_heads", 0}}, "the number of key/value heads is 0"},
      {{{"rms_norm_eps", 0}}, "both must be positive"},
      {{{"eos_token_id", 262}}, "the end-of-text token id 262"},
      {{{"eos_token_id", nullptr}}, "eos_token_id is missing"},
      {{{"eos_token_id", Json::array()}}, "no end-of-text token is given"},
      {{{"bos_token_id", 262}}, "the begin-of-text token id 262"}};
  for (const auto& [change, message] : cases) {
    config_ = kept;
    config_.update(change);
    EXPECT_THAT(Error(), HasSubstr(options_.input + "/config.json: "))
        << change;
    EXPECT_THAT(Error(), HasSubstr(message)) << change;
  }
  for (const char* key :
       {"hidden_size", "intermediate_size", "num_hidden_layers",
        "num_attention_heads", "vocab_size", "max_position_embeddings",
        "rms_norm_eps"}) {
    config_ = kept;
    config_.erase(key);
    EXPECT_THAT(Error(), HasSubstr(std::string(key) + " is missing"));
  }
  config_ = Json::array();
  EXPECT_THAT(Error(), HasSubstr("must be a JSON object"));
}

TEST_F(UpcycleHfTest, NamesAMissingOrBrokenTokenizerBeforeAnythingIsWritten) {
  const auto with = [this](const char* path, const Json& value) {
    Json changed = tokenizer_;
    changed[Json::json_pointer(path)] = value;
    return changed.dump();
  };
  const std::pair<std::string, std::string> cases[] = {
      {"{", "malformed JSON"},
      {"{}", "model"},
      {R"({"model": {"type": "BPE", "vocab": {"a": 0}}})", "byte_fallback"},
      {with("/model/type", "WordPiece"), "only BPE is supported"},
      {with("/model/merges/0", "a Z"), "merges"},
      {with("/added_tokens/2", TestAddedToken(kVocab, "<more>", false)),
       "has 263 tokens, but the embedding has 262 rows"},
  };
  for (const auto& [text, message] : cases) {
    Write("tokenizer.json", text);
    const std::string error = Error();
    EXPECT_THAT(error, HasSubstr(options_.input + "/tokenizer.json: "));
    EXPECT_THAT(error, HasSubstr(message));
  }
  std::filesystem::remove(options_.input + "/tokenizer.json");
  EXPECT_THAT(Error(), HasSubstr(options_.input + "/tokenizer.json"));
}

TEST_F(UpcycleHfTest, AFailureInTheMiddleLeavesWhatWasThere) {
  ASSERT_TRUE(Run().ok());
  const auto before = ReadFile(options_.output + "/model.safetensors", 1 << 20);
  ASSERT_TRUE(before.ok()) << before.status();
  options_.overwrite = true;
  options_.dtype = DType::kF16;
  infinite_ = "lm_head.weight";
  EXPECT_THAT(Run().message(), HasSubstr("holds an infinity or NaN"));
  EXPECT_EQ(*ReadFile(options_.output + "/model.safetensors", 1 << 20),
            *before);
  EXPECT_EQ(OutputConfig()["torch_dtype"], "bfloat16");
  EXPECT_FALSE(std::filesystem::exists(options_.output + ".partial"));
  infinite_.clear();
  EXPECT_TRUE(Run().ok());
  EXPECT_EQ(OutputConfig()["torch_dtype"], "float16");
  EXPECT_FALSE(std::filesystem::exists(options_.output + ".replaced"));
}

TEST_F(UpcycleHfTest, TheOutputIsNotTheInput) {
  options_.output = options_.input + "/../base";
  options_.overwrite = true;
  EXPECT_THAT(Run().message(), HasSubstr("--input and --output are the same"));
  EXPECT_TRUE(std::filesystem::exists(options_.input + "/config.json"));
}

}  // namespace
}  // namespace apollo

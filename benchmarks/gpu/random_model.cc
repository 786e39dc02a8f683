#include "benchmarks/gpu/random_model.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <random>
#include <vector>

#include "benchmarks/load/prompts.h"
#include "common/json.h"
#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "kernels/half.h"
#include "model/config/model_config.h"
#include "model/safetensors/writer.h"
#include "model/weights/tensor_registry.h"

namespace apollo {
namespace {

constexpr int kSparseLayers = 2;
constexpr int kByteTokens = 256;
constexpr std::size_t kNumbers = std::size_t{1} << 22;  // Then they repeat.
constexpr float kDeviation = 0.02f;
constexpr float kDeviationWithoutToken = 0.001f;
constexpr char kSpace[] = "\u0120";  // As vocabularies write it.

absl::StatusOr<ModelShape> FindShape(std::string_view name) {
  std::string valid;
  for (const ModelShape& shape : kModelShapes) {
    if (shape.name == name) return shape;
    absl::StrAppend(&valid, valid.empty() ? "" : ", ", std::string(shape.name));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "there is no shape \"", std::string(name), "\"; there are ", valid));
}

absl::Status WriteJson(const std::string& path, const Json& json) {
  std::ofstream file(path);
  file << json.dump(1) << "\n";
  file.close();
  if (file.good()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot write ", path));
}

Json Config(const ModelShape& shape, int end_token) {
  Json dense = Json::array();
  for (int i = 0; i < shape.layers - kSparseLayers; ++i) dense.push_back(i);
  return {{"architectures", {"UpcyclingQwen2MoeForCausalLM"}},
          {"model_type", "upcycling-qwen2-moe"},
          {"attention_bias", true},
          {"bos_token_id", end_token},
          {"eos_token_id", end_token},
          {"hidden_act", "silu"},
          {"hidden_size", shape.hidden},
          {"intermediate_size", shape.inner},
          {"max_position_embeddings", shape.context},
          {"mlp_only_layers", dense},
          {"moe_intermediate_size", shape.inner},
          {"norm_topk_prob", false},
          {"num_attention_heads", shape.heads},
          {"num_experts", 7},
          {"num_experts_per_tok", 2},
          {"num_hidden_layers", shape.layers},
          {"num_key_value_heads", shape.kv_heads},
          {"rms_norm_eps", 1e-6},
          {"rope_theta", 1e6},
          {"share_flag", false},
          {"tie_word_embeddings", shape.tied},
          {"torch_dtype", "bfloat16"},
          {"use_sliding_window", false},
          {"vocab_size", shape.vocab}};
}

// Adds a token for each word with a space before it. A merge joins a beginning
// of a word with its next letter.
void AddWords(Json& model) {
  Json& vocab = model["vocab"];
  for (const char* const word : load::Prompts::Words()) {
    std::string begin = kSpace;
    for (const char letter : std::string(word)) {
      const std::string longer = begin + letter;
      if (!vocab.contains(longer)) {
        vocab[longer] = vocab.size();
        model["merges"].push_back(begin + " " + letter);
      }
      begin = longer;
    }
  }
}

// Writes the tokenizer. Returns the number of its tokens; the first of the
// special ones, which are last, ends an answer.
absl::StatusOr<int> WriteTokenizer(const std::string& from,
                                   const std::string& to, int& end_token) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(from, 1 << 20));
  ASSIGN_OR_RETURN(Json json, ParseJson(text, from));
  Json& model = json["model"];
  if (!model.is_object() || !model.contains("vocab") ||
      model["vocab"].size() != kByteTokens || !json.contains("added_tokens")) {
    return absl::InvalidArgumentError(absl::StrCat(
        from, " is not a tokenizer with ", kByteTokens,
        " tokens of one byte and special ones; use a golden case's"));
  }
  AddWords(model);
  int next = end_token = static_cast<int>(model["vocab"].size());
  for (Json& token : json["added_tokens"]) token["id"] = next++;
  RETURN_IF_ERROR(WriteJson(to, json));
  return next;
}

class Numbers {
 public:
  explicit Numbers(float deviation) : bits_(kNumbers) {
    std::normal_distribution<float> normal(0, deviation);
    for (std::uint16_t& bits : bits_) {
      bits = Bf16BitsFromF32(normal(random_));
    }
  }
  // Appends `count` numbers to the tensor that is due.
  absl::Status AppendTo(SafetensorsWriter& writer, const std::string& tensor,
                        std::size_t count) {
    // Tensors must not be alike, for example experts.
    std::size_t at = random_() % kNumbers;
    while (count > 0) {
      const std::size_t part = std::min(count, kNumbers - at);
      const auto* const bytes =
          reinterpret_cast<const std::uint8_t*>(bits_.data() + at);
      RETURN_IF_ERROR(writer.Append(tensor, {bytes, 2 * part}));
      count -= part;
      at = 0;
    }
    return absl::OkStatus();
  }

 private:
  std::mt19937_64 random_{1};
  std::vector<std::uint16_t> bits_;
};

absl::Status WriteWeights(const ModelConfig& config, int tokens,
                          const std::string& path) {
  const std::vector<TensorInfo> tensors = AllTensors(config);
  std::vector<TensorSpec> specs;
  for (const TensorInfo& tensor : tensors) {
    specs.push_back({tensor.name, DType::kBF16, tensor.shape});
  }
  ASSIGN_OR_RETURN(SafetensorsWriter writer,
                   SafetensorsWriter::Create(path, specs));
  Numbers numbers(kDeviation), small(kDeviationWithoutToken);
  for (const TensorInfo& tensor : tensors) {
    std::size_t count = 1;
    for (const std::int64_t n : tensor.shape) count *= n;
    if (tensor.name.find("norm") != std::string::npos) {
      RETURN_IF_ERROR(
          writer.AppendFloats(tensor.name, std::vector<float>(count, 1)));
    } else if (HasRowForEachToken(tensor.name)) {
      const std::size_t used =
          static_cast<std::size_t>(tokens) * config.hidden_size;
      RETURN_IF_ERROR(numbers.AppendTo(writer, tensor.name, used));
      RETURN_IF_ERROR(small.AppendTo(writer, tensor.name, count - used));
    } else {
      RETURN_IF_ERROR(numbers.AppendTo(writer, tensor.name, count));
    }
  }
  return writer.Finish();
}

}  // namespace

absl::Status WriteRandomModel(std::string_view shape,
                              const std::string& tokenizer,
                              const std::string& folder) {
  ASSIGN_OR_RETURN(const ModelShape found, FindShape(shape));
  int end_token = 0;
  ASSIGN_OR_RETURN(
      const int tokens,
      WriteTokenizer(tokenizer, folder + "/tokenizer.json", end_token));
  RETURN_IF_ERROR(WriteJson(folder + "/config.json", Config(found, end_token)));
  ASSIGN_OR_RETURN(const ModelConfig config, LoadModelConfig(folder));
  return WriteWeights(config, tokens, folder + "/model.safetensors");
}

}  // namespace apollo

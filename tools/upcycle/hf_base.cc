#include "tools/upcycle/hf_base.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "common/check.h"
#include "common/json.h"
#include "common/mapped_file.h"
#include "common/python_json.h"
#include "common/status_macros.h"
#include "model/config/model_config.h"
#include "model/prompt/template_source.h"
#include "model/safetensors/checkpoint.h"
#include "model/safetensors/convert.h"
#include "model/tokenizer/tokenizer.h"
#include "model/weights/tied_head.h"
#include "model/weights/unread_tensors.h"
#include "tools/upcycle/hf_config.h"

namespace apollo {
namespace {

constexpr std::size_t kMaxConfigBytes = 1 << 20;
constexpr std::size_t kMaxTokenizerBytes = 256 << 20;

absl::StatusOr<Json> ReadJson(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxConfigBytes));
  return ParsePythonJson(text, path);
}

// Returns nullopt without a generation_config.json.
absl::StatusOr<std::optional<GenerationJson>> ReadGeneration(
    const std::string& directory) {
  GenerationJson generation;
  generation.source = absl::StrCat(directory, "/", kGenerationFile);
  std::error_code ignored;
  if (!std::filesystem::exists(
          std::filesystem::symlink_status(generation.source, ignored))) {
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(generation.json, ReadJson(generation.source));
  if (!generation.json.is_object()) {
    return absl::InvalidArgumentError(generation.source +
                                      ": must be a JSON object");
  }
  return generation;
}

// Returns the files of the chat template, if there is one.
absl::StatusOr<std::map<std::string, std::string>> ReadChatFiles(
    const std::string& directory) {
  std::map<std::string, std::string> files;
  ASSIGN_OR_RETURN(const auto source, FindChatTemplate(directory));
  if (!source) return files;
  for (const char* name :
       {"chat_template.jinja", "chat_template.json", "tokenizer_config.json"}) {
    const std::string path = absl::StrCat(directory, "/", name);
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) continue;
    ASSIGN_OR_RETURN(files[name], ReadFile(path, kMaxTokenizerBytes));
  }
  return files;
}

// Refuses tensors that the parts of the model have and that are not converted,
// and warns of others.
absl::Status CheckTensors(const Checkpoint& checkpoint, BaseConfig& config) {
  ModelConfig dense;
  dense.num_layers = static_cast<int>(config.num_layers);
  dense.boundary = dense.num_layers - 1;
  dense.attention_bias = config.attention_bias;
  dense.qk_norm = config.qk_norm;
  dense.tie_word_embeddings = config.tied_embeddings;
  return CheckUnreadTensors(dense, checkpoint, config.warnings);
}

class HfBase final : public DenseBase {
 public:
  HfBase(Checkpoint checkpoint, BaseConfig config)
      : checkpoint_(std::move(checkpoint)), config_(std::move(config)) {}

  const BaseConfig& config() const override { return config_; }

  absl::StatusOr<std::vector<std::int64_t>> Shape(
      std::string_view name) const override {
    ASSIGN_OR_RETURN(const TensorView* view, checkpoint_.Get(name));
    // Checks that it is readable.
    RETURN_IF_ERROR(RowsToFloat32(*view, 0, 0, nullptr));
    return view->shape;
  }

  absl::Status ReadRows(std::string_view name, std::int64_t first_row,
                        std::int64_t num_rows, float* out) const override {
    ASSIGN_OR_RETURN(const TensorView* view, checkpoint_.Get(name));
    return RowsToFloat32(*view, first_row, num_rows, out);
  }

  absl::StatusOr<std::string> TokenizerJson() const override {
    const std::string path = checkpoint_.directory() + "/tokenizer.json";
    ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxTokenizerBytes));
    // Otherwise a tokenizer that no server can load, or that has tokens without
    // an embedding, would be noticed only when the model is served.
    ASSIGN_OR_RETURN(const auto tokenizer, Tokenizer::Parse(text, path));
    if (tokenizer->vocab_size() >
        static_cast<std::size_t>(config_.vocab_size)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": has ", tokenizer->vocab_size(),
                       " tokens, but the embedding has ", config_.vocab_size,
                       " rows (vocab_size)"));
    }
    return text;
  }

  std::string Where(std::string_view name) const override {
    const TensorView* view = checkpoint_.Find(name);
    return view == nullptr ? DescribeTensor(checkpoint_.directory(), name)
                           : view->Where();
  }

 private:
  const Checkpoint checkpoint_;
  const BaseConfig config_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DenseBase>> OpenHfBase(
    const std::string& directory) {
  const std::string config_path = directory + "/config.json";
  ASSIGN_OR_RETURN(const Json json, ReadJson(config_path));
  ASSIGN_OR_RETURN(const auto generation, ReadGeneration(directory));
  ASSIGN_OR_RETURN(
      BaseConfig config,
      ParseHfConfig(json, config_path, generation ? &*generation : nullptr));
  ASSIGN_OR_RETURN(config.chat_files, ReadChatFiles(directory));
  ASSIGN_OR_RETURN(Checkpoint checkpoint, Checkpoint::Open(directory));
  if (config.tied_embeddings) NameTiedEmbedding(checkpoint);
  RETURN_IF_ERROR(CheckTensors(checkpoint, config));
  const TensorView* mlp =
      checkpoint.Find("model.layers.0.mlp.gate_proj.weight");
  if (mlp != nullptr && mlp->dtype != DType::kOther) config.dtype = mlp->dtype;
  return std::make_unique<HfBase>(std::move(checkpoint), std::move(config));
}

}  // namespace apollo

#include "tools/upcycle/gguf_base.h"

#include <absl/status/status.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>

#include <charconv>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include "common/check.h"
#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "tools/upcycle/dequantize.h"
#include "tools/upcycle/gguf_file.h"
#include "tools/upcycle/tokenizer_export.h"

namespace apollo {
namespace {

// The Hugging Face name and the GGUF name of a tensor; in layers, the parts
// after "model.layers.<i>." and "blk.<i>.".
struct NamePair {
  std::string_view hugging_face;
  std::string_view gguf;
};

constexpr NamePair kGlobalNames[] = {
    {"model.embed_tokens.weight", "token_embd.weight"},
    {"model.norm.weight", "output_norm.weight"},
    {"lm_head.weight", "output.weight"},
};

constexpr NamePair kLayerNames[] = {
    {"input_layernorm.weight", "attn_norm.weight"},
    {"post_attention_layernorm.weight", "ffn_norm.weight"},
    {"self_attn.q_proj.weight", "attn_q.weight"},
    {"self_attn.k_proj.weight", "attn_k.weight"},
    {"self_attn.v_proj.weight", "attn_v.weight"},
    {"self_attn.q_proj.bias", "attn_q.bias"},
    {"self_attn.k_proj.bias", "attn_k.bias"},
    {"self_attn.v_proj.bias", "attn_v.bias"},
    {"self_attn.o_proj.weight", "attn_output.weight"},
    {"mlp.gate_proj.weight", "ffn_gate.weight"},
    {"mlp.up_proj.weight", "ffn_up.weight"},
    {"mlp.down_proj.weight", "ffn_down.weight"},
};

// Returns the GGUF name, or an empty string if there is none.
std::string GgufName(std::string_view name) {
  for (const NamePair& pair : kGlobalNames) {
    if (pair.hugging_face == name) return std::string(pair.gguf);
  }
  constexpr std::string_view kPrefix = "model.layers.";
  if (!name.starts_with(kPrefix)) return "";
  name.remove_prefix(kPrefix.size());
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos) return "";
  for (const NamePair& pair : kLayerNames) {
    if (pair.hugging_face == name.substr(dot + 1)) {
      return absl::StrCat("blk.", ToAbsl(name.substr(0, dot)), ".",
                          ToAbsl(pair.gguf));
    }
  }
  return "";
}

// Converts a float32 to the double with its shortest decimal representation:
// 1e-05, where widening would give 9.999999747378752e-06.
double Shortest(double value) {
  char digits[32];
  const auto written =
      std::to_chars(digits, digits + sizeof(digits), static_cast<float>(value));
  double shortest = value;
  std::from_chars(digits, written.ptr, shortest);
  return shortest;
}

class GgufBase final : public DenseBase {
 public:
  GgufBase(MappedFile mapping, GgufFile file)
      : mapping_(std::move(mapping)), file_(std::move(file)) {}

  absl::Status Init() {
    ASSIGN_OR_RETURN(const std::string_view architecture,
                     file_.GetString("general.architecture"));
    if (architecture != "llama" && architecture != "qwen2") {
      return Error(
          "general.architecture is neither \"llama\" nor \"qwen2\", the "
          "supported ones");
    }
    architecture_ = std::string(architecture);
    RETURN_IF_ERROR(ReadConfig());
    RETURN_IF_ERROR(CheckBaseConfig(config_, file_.path()));
    return RefuseOtherFeatures();
  }

  const BaseConfig& config() const override { return config_; }

  absl::StatusOr<std::vector<std::int64_t>> Shape(
      std::string_view name) const override {
    const GgufTensor* tensor = file_.FindTensor(GgufName(name));
    if (tensor == nullptr) {
      return absl::NotFoundError(Where(name) + " is missing");
    }
    if (!tensor->type->readable()) {
      return absl::InvalidArgumentError(absl::StrCat(
          Where(name), ": quantisation ", ToAbsl(tensor->type->name),
          " cannot be read; readable are ", ReadableGgmlTypes()));
    }
    return tensor->shape;
  }

  absl::Status ReadRows(std::string_view name, std::int64_t first_row,
                        std::int64_t num_rows, float* out) const override {
    const GgufTensor* tensor = file_.FindTensor(GgufName(name));
    APOLLO_CHECK(tensor != nullptr && tensor->type->readable());
    APOLLO_CHECK(first_row >= 0 && num_rows <= tensor->shape[0] - first_row);
    if (tensor->shape.size() == 1) {
      return ReadVector(*tensor, Heads(name), first_row, num_rows, out);
    }
    const std::int64_t row_elements = tensor->row_elements();
    const std::int64_t row_bytes =
        row_elements / tensor->type->block_elements * tensor->type->block_bytes;
    for (std::int64_t row = first_row; row < first_row + num_rows; ++row) {
      const std::int64_t source = StoredRow(row, Heads(name));
      Dequantize(
          *tensor->type,
          tensor->data.subspan(static_cast<std::size_t>(source * row_bytes),
                               static_cast<std::size_t>(row_bytes)),
          out);
      out += row_elements;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> TokenizerJson() const override {
    return ExportTokenizer(file_);
  }

  std::string Where(std::string_view name) const override {
    const std::string gguf_name = GgufName(name);
    return DescribeTensor(file_.path(), gguf_name.empty() ? name : gguf_name);
  }

 private:
  template <typename... Parts>
  absl::Status Error(const Parts&... parts) const {
    return absl::InvalidArgumentError(
        absl::StrCat(file_.path(), ": ", parts...));
  }

  std::string Key(std::string_view name) const {
    return absl::StrCat(architecture_, ".", ToAbsl(name));
  }

  absl::Status ReadConfig() {
    ASSIGN_OR_RETURN(config_.hidden_size,
                     file_.GetInt(Key("embedding_length")));
    ASSIGN_OR_RETURN(config_.intermediate_size,
                     file_.GetInt(Key("feed_forward_length")));
    ASSIGN_OR_RETURN(config_.num_layers, file_.GetInt(Key("block_count")));
    ASSIGN_OR_RETURN(config_.num_heads,
                     file_.GetInt(Key("attention.head_count")));
    config_.num_kv_heads = config_.num_heads;
    if (const auto key = Key("attention.head_count_kv"); file_.Has(key)) {
      ASSIGN_OR_RETURN(config_.num_kv_heads, file_.GetInt(key));
    }
    ASSIGN_OR_RETURN(config_.max_positions,
                     file_.GetInt(Key("context_length")));
    config_.rope_theta = 10000;  // The format's default.
    if (const auto key = Key("rope.freq_base"); file_.Has(key)) {
      ASSIGN_OR_RETURN(const double theta, file_.GetNumber(key));
      config_.rope_theta = Shortest(theta);
    }
    ASSIGN_OR_RETURN(const double eps,
                     file_.GetNumber(Key("attention.layer_norm_rms_epsilon")));
    config_.rms_norm_eps = Shortest(eps);
    if (const char* key = "tokenizer.ggml.bos_token_id"; file_.Has(key)) {
      ASSIGN_OR_RETURN(config_.bos_token_id, file_.GetInt(key));
    }
    ASSIGN_OR_RETURN(const std::int64_t eos,
                     file_.GetInt("tokenizer.ggml.eos_token_id"));
    config_.eos_token_ids = {eos};
    if (const char* key = "tokenizer.chat_template"; file_.Has(key)) {
      ASSIGN_OR_RETURN(const std::string_view text, file_.GetString(key));
      config_.chatml = text.find("<|im_start|>") != std::string_view::npos;
    }
    const GgufTensor* embedding = file_.FindTensor("token_embd.weight");
    if (embedding == nullptr) {
      return absl::NotFoundError(
          DescribeTensor(file_.path(), "token_embd.weight") + " is missing");
    }
    config_.vocab_size = embedding->shape[0];
    config_.tied_embeddings = file_.FindTensor("output.weight") == nullptr;
    config_.attention_bias = file_.FindTensor("blk.0.attn_q.bias") != nullptr;
    const GgufTensor* mlp = file_.FindTensor("blk.0.ffn_gate.weight");
    const std::uint32_t type = mlp == nullptr ? kGgmlF32 : mlp->type->id;
    config_.dtype = type == kGgmlF16    ? DType::kF16
                    : type == kGgmlBF16 ? DType::kBF16
                                        : DType::kF32;
    return absl::OkStatus();
  }

  absl::Status RefuseOtherFeatures() const {
    if (const auto key = Key("rope.scaling.type"); file_.Has(key)) {
      ASSIGN_OR_RETURN(const std::string_view scaling, file_.GetString(key));
      if (scaling != "none") return Error(key, " must be \"none\" or missing");
    }
    for (const char* name :
         {"rope_freqs.weight", "blk.0.attn_output.bias",
          "blk.0.attn_q_norm.weight", "blk.0.ffn_gate_inp.weight",
          "blk.0.ffn_gate.bias"}) {
      if (file_.FindTensor(name) != nullptr) {
        return absl::InvalidArgumentError(absl::StrCat(
            DescribeTensor(file_.path(), name),
            " belongs to a feature that the published format does not have"));
      }
    }
    for (const char* name : {"attention.key_length", "attention.value_length",
                             "rope.dimension_count"}) {
      const std::string key = Key(name);
      if (!file_.Has(key)) continue;
      ASSIGN_OR_RETURN(const std::int64_t size, file_.GetInt(key));
      if (size != config_.head_size()) {
        return Error(key, " is ", size,
                     "; it must be the hidden size over the heads, ",
                     config_.head_size());
      }
    }
    return absl::OkStatus();
  }

  // Returns the number of heads whose rows are interleaved; 0 for most tensors.
  // For the architecture "llama", the converters of llama.cpp interleave the
  // two halves of each head of q and k, so that its rotary kernel can rotate
  // adjacent elements.
  std::int64_t Heads(std::string_view name) const {
    if (architecture_ != "llama") return 0;
    if (name.find(".q_proj.") != std::string_view::npos)
      return config_.num_heads;
    if (name.find(".k_proj.") != std::string_view::npos) {
      return config_.num_kv_heads;
    }
    return 0;
  }

  // Returns the stored index of row `row` of the half-split layout: half h,
  // position i of a head is stored at position 2i + h.
  std::int64_t StoredRow(std::int64_t row, std::int64_t heads) const {
    if (heads == 0) return row;
    const std::int64_t size = config_.head_size();
    const std::int64_t place = row % size;
    const std::int64_t half = place / (size / 2);
    return row - place + place % (size / 2) * 2 + half;
  }

  // Reads elements of a vector (norm or bias), which is stored as one row.
  absl::Status ReadVector(const GgufTensor& tensor, std::int64_t heads,
                          std::int64_t first, std::int64_t count,
                          float* out) const {
    std::vector<float> whole(static_cast<std::size_t>(tensor.shape[0]));
    Dequantize(*tensor.type, tensor.data, whole.data());
    for (std::int64_t i = first; i < first + count; ++i) {
      *out++ = whole[static_cast<std::size_t>(StoredRow(i, heads))];
    }
    return absl::OkStatus();
  }

  const MappedFile mapping_;
  const GgufFile file_;  // Points into mapping_.
  std::string architecture_;
  BaseConfig config_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DenseBase>> OpenGgufBase(
    const std::string& path) {
  ASSIGN_OR_RETURN(MappedFile mapping, MappedFile::Open(path));
  ASSIGN_OR_RETURN(GgufFile file, GgufFile::Parse(mapping.bytes(), path));
  auto base = std::make_unique<GgufBase>(std::move(mapping), std::move(file));
  RETURN_IF_ERROR(base->Init());
  return base;
}

}  // namespace apollo

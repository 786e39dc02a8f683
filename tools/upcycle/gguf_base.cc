#include "tools/upcycle/gguf_base.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "model/tokenizer/tokenizer.h"
#include "tools/upcycle/dequantize.h"
#include "tools/upcycle/gguf_config.h"
#include "tools/upcycle/gguf_model.h"
#include "tools/upcycle/gguf_names.h"
#include "tools/upcycle/tokenizer_export.h"

namespace apollo {
namespace {

class GgufBase final : public DenseBase {
 public:
  GgufBase(GgufModel model, GgufArchitecture architecture, BaseConfig config)
      : model_(std::move(model)),
        architecture_(architecture),
        config_(std::move(config)) {}

  const BaseConfig& config() const override { return config_; }

  absl::StatusOr<std::vector<std::int64_t>> Shape(
      std::string_view name) const override {
    const GgufTensor* tensor = model_.FindTensor(GgufName(name));
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
    const GgufTensor* tensor = model_.FindTensor(GgufName(name));
    APOLLO_CHECK(tensor != nullptr && tensor->type->readable());
    APOLLO_CHECK(first_row >= 0 && num_rows <= tensor->shape[0] - first_row);
    if (tensor->shape.size() == 1) {
      ReadVector(*tensor, Heads(name), first_row, num_rows, out);
      return absl::OkStatus();
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
    const GgufFile& keys = model_.keys();
    ASSIGN_OR_RETURN(std::string text, ExportTokenizer(keys));
    // Otherwise a tokenizer that no server can load, or that has tokens without
    // an embedding, would be noticed only when the model is served.
    ASSIGN_OR_RETURN(const auto tokenizer,
                     Tokenizer::Parse(text, keys.path() + ": tokenizer.ggml"));
    if (tokenizer->vocab_size() >
        static_cast<std::size_t>(config_.vocab_size)) {
      return absl::InvalidArgumentError(absl::StrCat(
          DescribeGgufKey(keys.path(), "tokenizer.ggml.tokens"), " has ",
          tokenizer->vocab_size(), " tokens, but the embedding ",
          config_.vocab_size, " rows"));
    }
    return text;
  }

  std::string Where(std::string_view name) const override {
    const std::string gguf_name = GgufName(name);
    return model_.Where(gguf_name.empty() ? name : gguf_name);
  }

 private:
  // Returns the number of heads whose rows are interleaved; 0 for most tensors.
  std::int64_t Heads(std::string_view name) const {
    if (!architecture_.interleaves_heads) return 0;
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
  void ReadVector(const GgufTensor& tensor, std::int64_t heads,
                  std::int64_t first, std::int64_t count, float* out) const {
    std::vector<float> whole(static_cast<std::size_t>(tensor.shape[0]));
    Dequantize(*tensor.type, tensor.data, whole.data());
    for (std::int64_t i = first; i < first + count; ++i) {
      *out++ = whole[static_cast<std::size_t>(StoredRow(i, heads))];
    }
  }

  const GgufModel model_;
  const GgufArchitecture architecture_;
  const BaseConfig config_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DenseBase>> OpenGgufBase(
    const std::string& path) {
  ASSIGN_OR_RETURN(GgufModel model, GgufModel::Open(path));
  ASSIGN_OR_RETURN(const GgufArchitecture architecture,
                   FindGgufArchitecture(model.keys()));
  ASSIGN_OR_RETURN(BaseConfig config, ReadGgufConfig(model, architecture));
  RETURN_IF_ERROR(CheckGgufTensors(model, config));
  return std::make_unique<GgufBase>(std::move(model), architecture,
                                    std::move(config));
}

}  // namespace apollo

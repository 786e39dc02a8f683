#include "model/weights/stored_forms.h"

#include <absl/strings/str_cat.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "common/strings.h"
#include "model/safetensors/tensor_view.h"
#include "model/weights/tensor_registry.h"
#include "model/weights/tied_head.h"

namespace apollo {
namespace {

using Parts = std::vector<std::pair<std::string, TensorView>>;

// A tensor that holds matrices of all experts of a layer.
struct Fused {
  std::string name;
  WeightKind kind;  // Of its matrices, which follow one another by expert.
};

absl::Status CheckFused(const TensorView& fused,
                        const std::vector<std::int64_t>& right) {
  if (fused.dtype == DType::kOther) {
    return absl::InvalidArgumentError(
        absl::StrCat(fused.Where(), ": type is ", fused.dtype_name,
                     "; it must be F32, F16 or BF16"));
  }
  if (fused.shape == right) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(fused.Where(), ": shape is ", ShapeToString(fused.shape),
                   "; the config requires ", ShapeToString(right)));
}

// Returns the name of a part for messages: its rows are counted within it.
std::string PartName(const TensorView& fused, int expert,
                     std::string_view part) {
  const std::string_view last = part.substr(0, part.rfind('.'));
  return absl::StrCat(fused.name, " (",
                      ToAbsl(last.substr(last.rfind('.') + 1)), " of expert ",
                      expert, ")");
}

// Returns the matrices of a kind of an expert.
std::vector<TensorInfo> MatricesOf(const ModelConfig& config, int layer,
                                   int expert, WeightKind kind) {
  std::vector<TensorInfo> matrices = MlpTensors(config, layer, expert);
  std::erase_if(matrices,
                [kind](const TensorInfo& info) { return info.kind != kind; });
  return matrices;
}

// Replaces a fused tensor by the matrices of the experts, if there is one.
absl::Status Split(const ModelConfig& config, int layer, const Fused& tensor,
                   Checkpoint& checkpoint) {
  const TensorView* fused = checkpoint.Find(tensor.name);
  if (fused == nullptr) return absl::OkStatus();
  std::vector<std::int64_t> right = {config.num_experts, 0, 0};
  for (const TensorInfo& info : MatricesOf(config, layer, 0, tensor.kind)) {
    right[1] += info.shape[0];
    right[2] = info.shape[1];
  }
  RETURN_IF_ERROR(CheckFused(*fused, right));
  Parts parts;
  std::size_t at = 0;
  for (int expert = 0; expert < config.num_experts; ++expert) {
    for (TensorInfo& info : MatricesOf(config, layer, expert, tensor.kind)) {
      if (const TensorView* other = checkpoint.Find(info.name);
          other != nullptr) {
        return absl::InvalidArgumentError(
            absl::StrCat(other->Where(), " is beside \"", tensor.name,
                         "\"; the experts of a layer must be in one form"));
      }
      TensorView part = *fused;
      part.name = PartName(*fused, expert, info.name);
      part.shape = std::move(info.shape);
      part.data =
          fused->data.subspan(at, static_cast<std::size_t>(part.NumElements()) *
                                      DTypeSize(part.dtype));
      at += part.data.size();
      parts.emplace_back(std::move(info.name), std::move(part));
    }
  }
  checkpoint.Replace(tensor.name, std::move(parts));
  return absl::OkStatus();
}

}  // namespace

absl::Status UnifyTensors(const ModelConfig& config, Checkpoint& checkpoint) {
  for (int layer = 0; layer < config.num_layers; ++layer) {
    if (!config.IsSparse(layer)) continue;
    const std::string experts =
        absl::StrCat("model.layers.", layer, ".mlp.experts.");
    const Fused kinds[] = {{experts + "gate_up_proj", WeightKind::kGateUp},
                           {experts + "down_proj", WeightKind::kDown}};
    for (const Fused& tensor : kinds) {
      RETURN_IF_ERROR(Split(config, layer, tensor, checkpoint));
    }
  }
  if (config.tie_word_embeddings) NameTiedEmbedding(checkpoint);
  return absl::OkStatus();
}

}  // namespace apollo

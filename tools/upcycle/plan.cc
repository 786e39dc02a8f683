#include "tools/upcycle/plan.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "common/status_macros.h"
#include "model/safetensors/tensor_view.h"

namespace apollo {
namespace {

class Planner {
 public:
  Planner(const BaseConfig& base, const UpcycleOptions& options)
      : base_(base), options_(options) {}

  std::vector<PlannedTensor> Plan() {
    const std::vector<std::int64_t> vocabulary = {base_.vocab_size,
                                                  base_.hidden_size};
    Copy("model.embed_tokens.weight", vocabulary);
    for (layer_ = 0; layer_ < base_.num_layers; ++layer_) AddLayer();
    layer_ = -1;
    Copy("model.norm.weight", {base_.hidden_size});
    if (!base_.tied_embeddings) Copy("lm_head.weight", vocabulary);
    return std::move(plan_);
  }

 private:
  void AddLayer() {
    const std::string prefix = absl::StrCat("model.layers.", layer_, ".");
    const std::int64_t hidden = base_.hidden_size;
    const std::int64_t kv_size = base_.num_kv_heads * base_.head_size();
    Copy(prefix + "input_layernorm.weight", {hidden});
    const std::string attention = prefix + "self_attn.";
    for (const auto& [letter, size] :
         {std::pair("q", hidden), {"k", kv_size}, {"v", kv_size}}) {
      const std::string name = absl::StrCat(attention, letter, "_proj.");
      Copy(name + "weight", {size, hidden});
      if (base_.attention_bias) Copy(name + "bias", {size});
    }
    Copy(attention + "o_proj.weight", {hidden, hidden});
    Copy(prefix + "post_attention_layernorm.weight", {hidden});
    const std::string mlp = prefix + "mlp.";
    if (layer_ < base_.num_layers - options_.sparse_layers) {
      AddMlp(mlp, mlp);
      return;
    }
    Add(mlp + "gate.weight", {options_.experts, hidden}, "");
    for (std::int64_t expert = 0; expert < options_.experts; ++expert) {
      AddMlp(absl::StrCat(mlp, "experts.", expert, "."), mlp);
    }
  }

  void AddMlp(const std::string& prefix, const std::string& source) {
    const std::vector<std::int64_t> wide = {base_.intermediate_size,
                                            base_.hidden_size};
    const std::vector<std::int64_t> narrow = {base_.hidden_size,
                                              base_.intermediate_size};
    for (const auto& [name, shape] : {std::pair("gate_proj.weight", wide),
                                      {"up_proj.weight", wide},
                                      {"down_proj.weight", narrow}}) {
      Add(prefix + name, shape, source + name);
    }
  }

  void Copy(const std::string& name, std::vector<std::int64_t> shape) {
    Add(name, std::move(shape), name);
  }

  void Add(std::string name, std::vector<std::int64_t> shape,
           std::string source) {
    plan_.push_back(
        {std::move(name), std::move(shape), std::move(source), layer_});
  }

  const BaseConfig& base_;
  const UpcycleOptions& options_;
  std::int64_t layer_ = -1;
  std::vector<PlannedTensor> plan_;
};

}  // namespace

std::vector<PlannedTensor> PlanTensors(const BaseConfig& base,
                                       const UpcycleOptions& options) {
  return Planner(base, options).Plan();
}

absl::Status CheckSources(const DenseBase& base,
                          const std::vector<PlannedTensor>& plan) {
  for (const PlannedTensor& tensor : plan) {
    if (tensor.source.empty()) continue;
    ASSIGN_OR_RETURN(const std::vector<std::int64_t> shape,
                     base.Shape(tensor.source));
    if (shape != tensor.shape) {
      return absl::InvalidArgumentError(absl::StrCat(
          base.Where(tensor.source), ": shape ", ShapeToString(shape),
          ", but the configuration asks for ", ShapeToString(tensor.shape)));
    }
  }
  return absl::OkStatus();
}

}  // namespace apollo

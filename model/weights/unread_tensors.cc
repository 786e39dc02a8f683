#include "model/weights/unread_tensors.h"

#include <absl/container/flat_hash_set.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <set>
#include <string_view>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "model/config/some_names.h"
#include "model/weights/tensor_registry.h"
#include "model/weights/tied_head.h"

namespace apollo {
namespace {

constexpr std::string_view kLayers = "model.layers.";

bool Has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Returns true for what older tools store beside the weights: the frequencies
// of rotary positions, which follow from the config.
bool FollowsFromConfig(std::string_view name) {
  return name.ends_with("rotary_emb.inv_freq") ||
         name.ends_with("rotary_emb.original_inv_freq");
}

// Returns true for names of the parts that are computed.
bool IsOfComputedPart(std::string_view name) {
  for (const std::string_view part :
       {kLayers, std::string_view("model.embed_tokens."),
        std::string_view("model.norm."), std::string_view("lm_head.")}) {
    if (name.starts_with(part)) return true;
  }
  return false;
}

// Returns the number after `part` in a name, or -1.
int NumberAfter(std::string_view name, std::string_view part) {
  const std::size_t at = name.find(part);
  if (at == std::string_view::npos) return -1;
  std::string_view digits = name.substr(at + part.size());
  digits = digits.substr(0, digits.find('.'));
  int number = -1;
  return absl::SimpleAtoi(ToAbsl(digits), &number) ? number : -1;
}

// Returns what would be right instead of a tensor of the MLP of a layer.
std::string RightMlp(const ModelConfig& config, std::string_view name,
                     int layer) {
  if (!config.IsSparse(layer)) {
    if (Has(name, ".mlp.gate.") || Has(name, ".mlp.experts.") ||
        Has(name, ".shared_expert")) {
      if (config.is_dense()) {
        return "\"model_type\" of config.json must be that of a model with "
               "experts";
      }
      return "\"mlp_only_layers\" of config.json must not list the layer if it "
             "has experts";
    }
  } else if (Has(name, ".shared_expert") && !config.shared_expert) {
    return "\"share_flag\" of config.json must be true for shared experts";
  } else if (NumberAfter(name, ".mlp.experts.") >= config.num_experts) {
    return absl::StrCat("\"num_experts\" of config.json must count it, but is ",
                        config.num_experts);
  } else if (Has(name, ".mlp.gate_proj.") || Has(name, ".mlp.up_proj.") ||
             Has(name, ".mlp.down_proj.")) {
    return "\"mlp_only_layers\" of config.json must list the layer if its MLP "
           "is dense";
  }
  if (Has(name, ".mlp.gate.") || Has(name, "correction_bias")) {
    return "the gate must have a weight only, because its biases and "
           "corrections are not computed";
  }
  if (name.ends_with(".bias")) {
    return "MLPs must have no biases, because they are not computed";
  }
  return "it must not be there, because no computation reads it";
}

// Returns what would be right instead of a tensor that is not read.
std::string Right(const ModelConfig& config, std::string_view name) {
  const int layer = NumberAfter(name, kLayers);
  if (!name.starts_with(kLayers) || layer < 0) {
    return "it must not be there, because no computation reads it";
  }
  if (layer >= config.num_layers) {
    return absl::StrCat(
        "\"num_hidden_layers\" of config.json must count its layer, but is ",
        config.num_layers);
  }
  if (Has(name, ".mlp.")) return RightMlp(config, name, layer);
  if (name.ends_with(".q_norm.weight") || name.ends_with(".k_norm.weight")) {
    return config.is_dense()
               ? "\"model_type\" of config.json must be \"qwen3\" for norms of "
                 "queries and keys"
               : "\"use_qk_norm\" of config.json must be true for norms of "
                 "queries and keys";
  }
  if (name.ends_with("norm.bias")) {
    return "norms must have no biases, because they are not computed";
  }
  if (Has(name, ".self_attn.") && name.ends_with("_proj.bias")) {
    if (config.is_dense()) {
      return "\"attention_bias\" of config.json must be true for biases of "
             "attention, which Llama and Qwen3 have in all projections and "
             "Qwen2 in all but o_proj";
    }
    if (Has(name, ".o_proj.")) {
      return "only q_proj, k_proj and v_proj may have biases";
    }
    return "\"attention_bias\" of config.json must be true for biases of q, k "
           "and v";
  }
  return "it must not be there, because no computation reads it";
}

// The tensors that the config does not name.
class Others {
 public:
  explicit Others(const ModelConfig& config) : config_(config) {}

  // Lists the tensors that are read.
  absl::Status Begin() {
    return VisitTensors(config_, [this](TensorInfo tensor) {
      read_.insert(std::move(tensor.name));
      return absl::OkStatus();
    });
  }

  // Returns true for a tensor that asks for a computation; notes those of other
  // parts.
  bool AsksForMore(const std::string& name) {
    if (read_.contains(name) || FollowsFromConfig(name)) return false;
    if (IsOfComputedPart(name)) return true;
    ignored_.insert(name);
    return false;
  }

  // Returns the error about a tensor at `where`.
  absl::Status NotRead(const std::string& where, std::string_view name) const {
    return absl::InvalidArgumentError(
        absl::StrCat(where, " is not read; ", Right(config_, name)));
  }

  std::vector<std::string> ignored() const {
    return {ignored_.begin(), ignored_.end()};
  }

 private:
  const ModelConfig& config_;
  absl::flat_hash_set<std::string> read_;
  std::set<std::string> ignored_;  // Each once, in a fixed order.
};

}  // namespace

absl::Status CheckUnreadTensors(const ModelConfig& config,
                                const Checkpoint& checkpoint,
                                std::vector<std::string>& warnings) {
  Others others(config);
  RETURN_IF_ERROR(others.Begin());
  // Also tensors that an index does not list: they are in the model's files.
  for (const auto& file : checkpoint.files()) {
    for (const auto& [name, view] : file->tensors()) {
      if (checkpoint.WasReplaced(name) || !others.AsksForMore(name)) continue;
      if (config.tie_word_embeddings && name == kHeadTensor) {
        RETURN_IF_ERROR(CheckTiedHead(checkpoint));
        continue;
      }
      return others.NotRead(view.Where(), name);
    }
  }
  // An index of a model with tied embeddings may list a head.
  for (const auto& [name, sentence] : checkpoint.absent()) {
    if (!others.AsksForMore(name) || name == kHeadTensor) continue;
    return others.NotRead(sentence + ", and", name);
  }
  if (const auto ignored = others.ignored(); !ignored.empty()) {
    warnings.push_back(absl::StrCat(checkpoint.directory(), ": tensors ",
                                    SomeNames(ignored), " are ignored"));
  }
  return absl::OkStatus();
}

}  // namespace apollo

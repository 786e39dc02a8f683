#include "model/weights/unread_tensors.h"

#include <absl/container/flat_hash_set.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "model/config/some_names.h"
#include "model/weights/tensor_registry.h"

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

// Compares without keeping the pages in memory.
bool AreEqual(const TensorView& a, const TensorView& b) {
  if (a.dtype_name != b.dtype_name || a.shape != b.shape) return false;
  const bool equal =
      std::equal(a.data.begin(), a.data.end(), b.data.begin(), b.data.end());
  ReleasePages(a.data);
  ReleasePages(b.data);
  return equal;
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
  if (name == kHeadTensor) {  // The embeddings are tied.
    return "it must be equal to model.embed_tokens.weight, or "
           "\"tie_word_embeddings\" of config.json must be false";
  }
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

}  // namespace

absl::Status CheckUnreadTensors(const ModelConfig& config,
                                const Checkpoint& checkpoint,
                                std::vector<std::string>& warnings) {
  absl::flat_hash_set<std::string> read;
  RETURN_IF_ERROR(VisitTensors(config, [&read](TensorInfo tensor) {
    read.insert(std::move(tensor.name));
    return absl::OkStatus();
  }));
  std::set<std::string> others;  // Each once, in a fixed order.
  // Also tensors that an index does not list: they are in the model's files.
  for (const auto& file : checkpoint.files()) {
    for (const auto& [name, view] : file->tensors()) {
      if (read.contains(name) || FollowsFromConfig(name)) continue;
      if (!IsOfComputedPart(name)) {
        others.insert(name);
        continue;
      }
      if (config.tie_word_embeddings && name == kHeadTensor &&
          AreEqual(view, *checkpoint.Find(kEmbeddingTensor))) {
        continue;
      }
      return absl::InvalidArgumentError(
          absl::StrCat(view.Where(), " is not read; ", Right(config, name)));
    }
  }
  if (!others.empty()) {
    const std::vector<std::string> names(others.begin(), others.end());
    warnings.push_back(absl::StrCat(checkpoint.directory(), ": tensors ",
                                    SomeNames(names), " are ignored"));
  }
  return absl::OkStatus();
}

}  // namespace apollo

#include "model/config/architecture.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <string>
#include <vector>

#include "common/check.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace apollo {
namespace {

// The configurations of transformers 5 (models/*/configuration_*.py) and the
// layers beside them.
constexpr Architecture kArchitectures[] = {
    {"UpcyclingQwen2MoeForCausalLM", "upcycling-qwen2-moe", true, "{}", "{}"},
    {"Qwen2ForCausalLM", "qwen2", false,
     R"({"attention_bias": true, "qkv_bias": true, "use_qk_norm": false,
         "qk_norm": false})",
     R"({"rope_theta": 10000.0})"},
    {"Qwen3ForCausalLM", "qwen3", false,
     R"({"use_qk_norm": true, "qk_norm": true})",
     R"({"rope_theta": 10000.0, "head_dim": 128, "attention_bias": false})",
     /*output_bias=*/true},
    {"LlamaForCausalLM", "llama", false,
     R"({"use_qk_norm": false, "qk_norm": false})",
     R"({"rope_theta": 10000.0, "attention_bias": false})",
     /*output_bias=*/true},
};

// Keys without a meaning in a model without experts.
constexpr const char* kKeysOfExperts[] = {
    "num_experts",     "num_experts_per_tok", "moe_intermediate_size",
    "mlp_only_layers", "norm_topk_prob",      "share_flag"};

// Returns for example "\"a\", \"b\" or \"c\"", in brackets if they are lists.
std::string Known(std::string_view Architecture::*member, bool lists) {
  std::vector<std::string> known;
  for (const Architecture& architecture : kArchitectures) {
    const absl::string_view name = ToAbsl(architecture.*member);
    known.push_back(lists ? absl::StrCat("[\"", name, "\"]")
                          : absl::StrCat("\"", name, "\""));
  }
  const std::string last = known.back();
  known.pop_back();
  return absl::StrCat(absl::StrJoin(known, ", "), " or ", last);
}

const Architecture* Find(std::string_view Architecture::*member,
                         const Json& value) {
  for (const Architecture& architecture : kArchitectures) {
    if (value == architecture.*member) return &architecture;
  }
  return nullptr;
}

absl::Status NotServed(const ConfigReader& reader, const char* key,
                       const Json& value, const std::string& right) {
  return absl::UnimplementedError(
      absl::StrCat(reader.Wrong(key, value, right).message()));
}

Json ObjectOf(std::string_view text) {
  auto object = ParseJson(text, "the table of architectures");
  APOLLO_CHECK(object.ok() && object->is_object());
  return *std::move(object);
}

// Returns true if the config has the key. A base of rotary positions may also
// be in an object (rope_base.h).
bool Has(const ConfigReader& reader, const std::string& key) {
  if (reader.Find(key.c_str()) != nullptr) return true;
  if (key != "rope_theta") return false;
  for (const char* name : {"rope_parameters", "rope_scaling"}) {
    const Json* object = reader.Find(name);
    if (object != nullptr && object->is_object() && object->contains(key)) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::span<const Architecture> Architectures() { return kArchitectures; }

absl::StatusOr<const Architecture*> ReadArchitecture(
    const ConfigReader& reader) {
  const Architecture* of_type = nullptr;
  if (const Json* type = reader.Find("model_type"); type != nullptr) {
    of_type = Find(&Architecture::type, *type);
    if (of_type == nullptr) {
      return NotServed(reader, "model_type", *type,
                       Known(&Architecture::type, /*lists=*/false));
    }
  }
  const Json* names = reader.Find("architectures");
  if (names == nullptr) {
    if (of_type != nullptr) return of_type;
    return reader.Missing("architectures");
  }
  if (!names->is_array() || names->size() != 1 || !names->front().is_string()) {
    return reader.Wrong("architectures", *names, "a list of one name");
  }
  const Architecture* named = Find(&Architecture::name, names->front());
  if (of_type != nullptr && named != of_type) {
    return NotServed(
        reader, "architectures", *names,
        absl::StrCat("[\"", ToAbsl(of_type->name), "\"], because model_type is",
                     " \"", ToAbsl(of_type->type), "\""));
  }
  if (named == nullptr) {
    return NotServed(reader, "architectures", *names,
                     Known(&Architecture::name, /*lists=*/true));
  }
  return named;
}

absl::Status Complete(const Architecture& architecture, std::string_view source,
                      Json& config) {
  const ConfigReader reader(config, source);
  const Json fixed = ObjectOf(architecture.fixed);
  for (const auto& [key, right] : fixed.items()) {
    const Json* value = reader.Find(key.c_str());
    if (value == nullptr) {
      config[key] = right;
    } else if (*value != right) {
      return reader.Wrong(
          key.c_str(), *value,
          absl::StrCat(right.dump(), " or null, because model_type is \"",
                       ToAbsl(architecture.type), "\""));
    }
  }
  const Json defaults = ObjectOf(architecture.defaults);
  for (const auto& [key, value] : defaults.items()) {
    if (!Has(reader, key)) config[key] = value;
  }
  if (architecture.sparse) return absl::OkStatus();
  for (const char* key : kKeysOfExperts) {
    const Json* value = reader.Find(key);
    if (value == nullptr) continue;
    return reader.Wrong(
        key, *value,
        absl::StrCat("null, because model_type is \"",
                     ToAbsl(architecture.type), "\", which has no experts"));
  }
  return absl::OkStatus();
}

}  // namespace apollo

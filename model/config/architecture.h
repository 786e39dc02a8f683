#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <span>
#include <string_view>

#include "common/json.h"
#include "model/config/config_reader.h"

namespace apollo {

// A kind of model that is served, and the facts that its config.json does not
// have to say.
struct Architecture {
  std::string_view name;  // In "architectures".
  std::string_view type;  // "model_type".
  bool sparse = false;    // The last layers have experts; else none has.
  // JSON objects. `fixed`: keys that have these values, and must not have
  // others; the code of the architecture in Hugging Face transformers reads no
  // such key, or others ask for another computation. `defaults`: values of
  // keys that are missing, as in that code.
  std::string_view fixed;
  std::string_view defaults;
  bool output_bias = false;  // "attention_bias" also gives o_proj a bias.
};

// Returns all architectures.
std::span<const Architecture> Architectures();

// Finds the architecture by "model_type" and "architectures". One of them may
// be missing. Returns UNIMPLEMENTED naming the key, the value and the right
// ones for another architecture, and INVALID_ARGUMENT for other errors.
absl::StatusOr<const Architecture*> ReadArchitecture(
    const ConfigReader& reader);

// Adds the fixed keys and the defaults of the architecture to a config that
// does not have them. Returns INVALID_ARGUMENT, naming the key, for another
// value of a fixed key, and for keys of experts if there are none. `source` is
// the path of the config.
absl::Status Complete(const Architecture& architecture, std::string_view source,
                      Json& config);

}  // namespace apollo

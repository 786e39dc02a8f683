#pragma once

#include <absl/status/statusor.h>

#include <string_view>

#include "common/json.h"
#include "tools/upcycle/dense_base.h"
#include "tools/upcycle/gguf_model.h"

namespace apollo {

// Reads the scaling of rotary positions of a GGUF model: the keys
// "<architecture>.rope.scaling.*" and rope.scale_linear, with the meanings and
// defaults of llama.cpp, and the tensor rope_freqs.weight, which holds the
// divisors of Llama 3's frequencies. `config` has its sizes and its base
// already.
//
// Returns the object "rope_scaling" of config.json, with the meaning of
// transformers' rope_parameters, or null without scaling. Returns
// INVALID_ARGUMENT, naming the key or tensor, for a scaling that the object
// cannot express.
absl::StatusOr<Json> ReadGgufRope(const GgufModel& model,
                                  std::string_view architecture,
                                  const BaseConfig& config);

}  // namespace apollo

#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "common/json.h"
#include "model/config/rope_scaling.h"

namespace apollo {

struct ScaledRope {
  RopeScaling scaling;
  // The context that the config promises, at most 2^24 tokens:
  // original_max_position_embeddings x factor for YaRN and linear scaling if
  // the config has both, else max_position_embeddings.
  int max_context = 0;
};

// Reads the scaling of rotary positions from "rope_scaling" or
// "rope_parameters", with the meaning and defaults of transformers 5 (4.57
// agrees, except that it knows neither an original context outside the object
// nor a factor of null). `base` is that of the rotation (ReadRopeBase),
// `max_positions` the config's max_position_embeddings, 1..2^24. Returns
// INVALID_ARGUMENT, naming the file and the key, for a type that cannot be
// served, for keys that are missing, wrong or not of the type, and for two
// objects that differ. Appends warnings about numbers that contradict each
// other or do not count. `config` must have passed CheckConfigKeys.
absl::StatusOr<ScaledRope> ReadRopeScaling(const Json& config,
                                           std::string_view source, double base,
                                           int max_positions,
                                           std::vector<std::string>& warnings);

}  // namespace apollo

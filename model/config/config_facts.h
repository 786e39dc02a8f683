#pragma once

#include <string>

#include "model/config/model_config.h"

namespace apollo {

// Returns, as text, every number of a config that affects the model's results.
// Equal texts mean equal numbers. This is the only list of fields that hashes
// cover. It excludes what only a router uses: the architecture name and the
// prompt format.
std::string ConfigFacts(const ModelConfig& config);

}  // namespace apollo

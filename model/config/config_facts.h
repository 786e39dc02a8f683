#pragma once

#include <string>

#include "model/config/model_config.h"

namespace apollo {

// Returns, as text, every number of a config that changes what a model
// computes: equal exactly when those are. This is the only list of fields that
// hashes cover. Not among them is what only a router uses: the architecture's
// name and the prompt format.
std::string ConfigFacts(const ModelConfig& config);

}  // namespace apollo

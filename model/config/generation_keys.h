#pragma once

#include <span>

#include "model/config/config_keys.h"

namespace apollo {

// The table of all known keys of generation_config.json. None is refused: what
// they ask for, except ends, is a default of requests, and requests say
// themselves how to sample.
std::span<const ConfigKey> GenerationKeys();

}  // namespace apollo

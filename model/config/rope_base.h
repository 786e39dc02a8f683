#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "common/json.h"

namespace apollo {

// Returns the base of rotary positions, above 0: that of "rope_parameters" or
// "rope_scaling" if one of them has a "rope_theta", else the "rope_theta" of
// the config itself, as transformers does. Appends a warning if two places
// differ. Returns INVALID_ARGUMENT, naming the file and the key, if there is no
// base, if it is not a number above 0, or if the two objects have different
// bases, or only "rope_parameters" has one, beside which transformers would
// take that of the config. `config` must have passed CheckConfigKeys.
absl::StatusOr<double> ReadRopeBase(const Json& config, std::string_view source,
                                    std::vector<std::string>& warnings);

}  // namespace apollo

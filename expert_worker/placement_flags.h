#pragma once

#include <absl/status/statusor.h>

#include "expert_worker/placement_setup.h"

namespace apollo {

// The flags of programs with an expert worker that say which experts it has in
// memory: --experts, --families, --placement, --standby_megabytes and
// --resident_megabytes.
//
// Reads them after absl::ParseCommandLine. Returns INVALID_ARGUMENT if both
// lists are given, or for a negative size.
absl::StatusOr<PlacementOptions> ReadPlacementFlags();

}  // namespace apollo

#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "router/options.h"

namespace apollo {

// The flags of a router alone: --default_routing, --language_model,
// --max_calls, --call_output_bytes, --stalled_client_timeout and
// --max_metadata_bytes. Reads them after absl::ParseCommandLine; `families` is
// that of ProcessFlags. INVALID_ARGUMENT naming the flag whose value cannot be.
absl::StatusOr<RouterOptions> ReadRouterFlags(const std::string& families);

}  // namespace apollo

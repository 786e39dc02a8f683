#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "router/options.h"

namespace apollo {

// Reads the flags that only routers have: --default_routing, --language_model,
// --chat_template, --language_threshold, --expected_languages, --max_calls,
// --call_output_bytes, --stalled_client_timeout, --silent_client_timeout,
// --max_streams_per_connection, --max_connection_age,
// --max_metadata_bytes, --tls_client_auth, --audit_log, --audit_max_megabytes,
// --audit_files, --policy and --jwt_keys. Call after absl::ParseCommandLine.
// `families` is ProcessFlags::families. Returns INVALID_ARGUMENT naming the
// flag whose value is out of range.
absl::StatusOr<RouterOptions> ReadRouterFlags(const std::string& families);

}  // namespace apollo

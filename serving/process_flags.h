#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "serving/server.h"

namespace apollo {

// The flags that every program of the cluster has: --model, --listen,
// --max_connections, --metrics_listen, --admin_listen, --address_file, --name,
// --families_file and --strict_model.
struct ProcessFlags {
  std::string model;     // A directory; not empty.
  std::string name;      // Unique in the cluster.
  std::string families;  // A file; empty: that of the model or the published.
  bool strict_model = false;  // Refuse what would be a warning.
  std::string admin_listen;   // See serving/admin_server.h; empty: nowhere.
  ServerOptions server;
  // Set by serving/tls_flags.h.
  bool plaintext_allowed = false;
};

// Reads them after absl::ParseCommandLine. An empty --name or --listen becomes
// the one given. Returns INVALID_ARGUMENT naming the flag if --model is missing
// or the value of another flag is out of range.
absl::StatusOr<ProcessFlags> ReadProcessFlags(
    const std::string& default_name,
    const std::string& default_listen = "127.0.0.1:0");

}  // namespace apollo

#pragma once

#include <string>

#include "serving/server.h"

namespace apollo {

// The flags that every program of the cluster has: --model, --listen,
// --max_connections, --metrics_listen, --address_file, --name and --families.
struct ProcessFlags {
  std::string model;     // A directory; not empty.
  std::string name;      // Unique in the cluster.
  std::string families;  // A file; empty: that of the model or the published.
  ServerOptions server;
};

// Reads them after absl::ParseCommandLine. An empty --name or --listen becomes
// the one given. INVALID_ARGUMENT if --model is missing
// or another flag's value cannot be.
absl::StatusOr<ProcessFlags> ReadProcessFlags(
    const std::string& default_name,
    const std::string& default_listen = "127.0.0.1:0");

}  // namespace apollo

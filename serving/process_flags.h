#pragma once

#include <string>

#include "serving/server.h"

namespace apollo {

// The flags that every program of the cluster has: --model, --listen,
// --metrics_listen, --address_file, --name and --families.
struct ProcessFlags {
  std::string model;     // A directory; not empty.
  std::string name;      // Unique in the cluster.
  std::string families;  // A file; empty: that of the model or the published.
  ServerOptions server;
};

// Reads the flags; call after absl::ParseCommandLine. The defaults replace an
// empty --name or --listen. Returns INVALID_ARGUMENT if --model is missing.
absl::StatusOr<ProcessFlags> ReadProcessFlags(
    const std::string& default_name,
    const std::string& default_listen = "127.0.0.1:0");

}  // namespace apollo

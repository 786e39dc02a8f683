#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <string>

#include "router/access/access_control.h"
#include "router/audit/audit_file.h"
#include "router/model/router_model.h"
#include "router/session/call_table.h"

namespace apollo {

// The options of a router, filled in from flags by each program that contains
// one.
struct RouterOptions {
  RouterModel::Options model;
  CallLimits calls;
  AccessOptions access;
  AuditFile::Options audit;  // No path: no audit log.
  // Limit on the headers of one gRPC call; gRPC rejects more with
  // RESOURCE_EXHAUSTED.
  int max_metadata_bytes = 16 << 10;
  // Maximum number of calls at a time on one connection of a client, and its
  // age; see ServerOptions. From 1 second, or infinite.
  int max_streams_per_connection = 1024;
  absl::Duration max_connection_age = absl::Hours(1);
  // Time after which a client is considered gone whose machine or process has
  // given no sign of life. A client may be a suspended laptop, or a program
  // that a debugger has stopped. From 1 second to 24 hours.
  absl::Duration silent_client_timeout = absl::Minutes(3);
  // Over TLS, every client must have a certificate. If false, it may.
  bool clients_need_certificate = true;
  // See Tracer; checked by ReadTraceFlags.
  double trace_sample = 1;
  // Of the process, for GetStatus.
  std::string name = {};
  // See RouterFacts.
  std::function<std::int64_t()> certificate_expires = nullptr;
};

// Returns INVALID_ARGUMENT naming the flag whose value is out of range, else
// OK.
absl::Status CheckRouterOptions(const RouterOptions& options);

}  // namespace apollo

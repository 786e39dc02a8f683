#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <prometheus/collectable.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>
#include <vector>

#include "common/ticker.h"
#include "router/audit/audit_log.h"
#include "router/backend.h"
#include "router/grpc/inference_service.h"
#include "router/options.h"
#include "router/session/call_table.h"
#include "serving/metrics.h"
#include "serving/server.h"

namespace apollo {

// The public service in front of a backend, without a server: the part that a
// router process and a process with all roles share.
class RouterRole {
 public:
  // The model, the backend, the registry and the audit log (null: none) must
  // outlive the role.
  RouterRole(const RouterModel& model, RouterBackend& backend,
             const RouterOptions& options, prometheus::Registry& registry,
             AuditLog* audit = nullptr);

  // Serves, and `metrics` too, which the role keeps. It must outlive the
  // server. Errors as Server::Start's.
  absl::StatusOr<std::unique_ptr<Server>> Listen(
      ServerOptions options,
      std::vector<std::shared_ptr<prometheus::Collectable>> metrics);

  // Returns how the calls of a role end that stops: for `grace` by themselves;
  // what is left then gets UNAVAILABLE, with the trailers that make clients try
  // again. Valid during the lifetime of the role.
  LastCalls EndOfCalls(absl::Duration grace);

 private:
  void Tick();

  const RouterOptions options_;
  AuditLog* const audit_;
  RequestMetrics metrics_;
  CallTable calls_;
  InferenceService service_;
  std::vector<std::shared_ptr<prometheus::Collectable>> collectors_;
  Ticker ticker_;
};

}  // namespace apollo

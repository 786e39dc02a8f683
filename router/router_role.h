#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <prometheus/collectable.h>
#include <prometheus/registry.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/progress_watch.h"
#include "common/ticker.h"
#include "router/access/access_control.h"
#include "router/audit/audit_log.h"
#include "router/backend.h"
#include "router/grpc/call_evidence_of.h"
#include "router/grpc/inference_service.h"
#include "router/options.h"
#include "router/session/call_table.h"
#include "router/session/language_metrics.h"
#include "serving/admin_service.h"
#include "serving/metrics.h"
#include "serving/server.h"
#include "tracing/tracer.h"

namespace apollo {

// The public service in front of a backend, without a server: the part that a
// router process and a process with all roles share.
class RouterRole {
 public:
  // Reads the policy and the keys of tokens, if the options name some. Errors
  // name the flag. The model, the backend, the registry, the audit log and the
  // tracer (null: none) must outlive the role.
  static absl::StatusOr<std::unique_ptr<RouterRole>> Make(
      const RouterModel& model, RouterBackend& backend,
      const RouterOptions& options, prometheus::Registry& registry,
      PeerOf peer_of = nullptr, AuditLog* audit = nullptr,
      Tracer* tracer = nullptr);

  // Calls that wait for the audit log end. No server may use the role any more.
  ~RouterRole();

  // Serves, and `metrics` too, which the role keeps. It must outlive the
  // server. Errors as Server::Start's.
  absl::StatusOr<std::unique_ptr<Server>> Listen(
      ServerOptions options,
      std::vector<std::shared_ptr<prometheus::Collectable>> metrics);

  // Returns false if the calls have not been looked at for half a minute, as
  // happens every second: then a lock is held forever, and the process should
  // be started again. Any thread.
  bool Alive() const;

  // Answers new calls with UNAVAILABLE from now on, but those of operators
  // (GetStatus, GetRouting). Any thread.
  void TurnAway() { calls_.TurnAway(); }

  // Returns the files that the role follows, for its administration. Valid
  // during its lifetime.
  std::vector<AdminFile> Files();

  // Returns how the calls of a role end that stops: for `grace` by themselves;
  // what is left then gets UNAVAILABLE, with the trailers that make clients try
  // again. Valid during the lifetime of the role.
  LastCalls EndOfCalls(absl::Duration grace);

 private:
  RouterRole(const RouterModel& model, RouterBackend& backend,
             const RouterOptions& options, prometheus::Registry& registry,
             std::unique_ptr<AccessControl> access, PeerOf peer_of,
             AuditLog* audit, Tracer* tracer);
  void Tick();
  // Decides about a call of reflection, or of a method that does not exist.
  grpc::Status AdmitPath(const grpc::ServerContextBase& context,
                         const std::string& path);

  const RouterOptions options_;
  const std::unique_ptr<AccessControl> access_;  // Null without --policy.
  const PeerOf peer_of_;
  AuditLog* const audit_;
  RequestMetrics metrics_;
  LanguageMetrics languages_;
  CallTable calls_;
  InferenceService service_;
  // The server does not keep them.
  std::vector<std::shared_ptr<prometheus::Collectable>> collectors_;
  std::atomic<std::uint64_t> looks_{0};
  mutable ProgressWatch watch_;
  Ticker ticker_;
};

}  // namespace apollo

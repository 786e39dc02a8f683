#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <prometheus/registry.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/log.h"
#include "serving/admin_server.h"
#include "serving/drain_flags.h"
#include "serving/membership.h"
#include "serving/process_flags.h"
#include "serving/server.h"

namespace apollo {

// The parts that every process of the cluster has around its role: metrics, the
// list of the workers that it calls, and the server. A process makes the frame,
// then its role, calls Begin and RunUntilStopped, and closes the frame before
// its services and the listener are destroyed. Single-threaded.
class ProcessFrame {
 public:
  // `workers` is the value of `flag`, which lists the workers to call
  // (serving/membership.h); empty: none. `dns_server` is asked for a list in
  // DNS. Only addresses that pass `check` are called. Nothing is served or read
  // yet. Returns the errors of Membership::Parse, which then name the flag.
  static absl::StatusOr<std::unique_ptr<ProcessFrame>> Make(
      std::string_view flag, std::string_view workers,
      const std::string& dns_server = "", Membership::Check check = nullptr);
  ~ProcessFrame();

  // The registry for metrics of the process. Outlives everything in the frame.
  const std::shared_ptr<prometheus::Registry>& registry() const {
    return registry_;
  }
  // Returns INVALID_ARGUMENT naming the flag if the list names no worker and
  // never will.
  absl::Status CheckNamesWorkers() const;

  // Takes the running server, calls `workers` (may be null) with the list and
  // on each change, logs "started" with the addresses and `facts`, and tells
  // systemd that the process is ready (serving/service_manager.h). Call once.
  // Everything that the listener and the services use must live until Close.
  // Returns the error if `server` is one.
  absl::Status Begin(absl::StatusOr<std::unique_ptr<Server>> server,
                     Membership::Listener workers,
                     const std::vector<LogField>& facts);

  // Serves the administration of the process at --admin_listen, if that is not
  // empty (serving/admin_server.h). `take_out` is called after the process has
  // become NOT_SERVING for good. Besides `files`, the list of workers and the
  // files of TLS can be reloaded, if there are such. Call once, after Begin and
  // before RunUntilStopped. Everything that the functions use must live until
  // Close. Returns the error of AdminServer::Start.
  absl::Status ServeAdmin(const ProcessFlags& flags, const DrainOptions& drain,
                          AdminActions::TakeOut take_out,
                          std::vector<AdminFile> files = {});

  // Serves until SIGTERM or SIGINT. Health follows `checks`. Then readiness is
  // NOT_SERVING; calls drain(), if given, while the server
  // still takes calls, and stops the server: calls in progress end as `last`
  // says. Another signal meanwhile ends the process at once
  // (serving/second_stop.h). Returns OK, or the error of
  // Server::RunUntilStopped.
  absl::Status RunUntilStopped(const HealthChecks& checks,
                               const LastCalls& last,
                               const std::function<void()>& drain = nullptr);

  // Ends serving: neither the listener nor a service is called again.
  void Close();

 private:
  ProcessFrame(std::string_view flag, std::unique_ptr<Membership> members);

  const std::string flag_;  // Lists the members.
  const std::shared_ptr<prometheus::Registry> registry_;
  std::unique_ptr<Membership> members_;
  std::unique_ptr<Server> server_;
  std::atomic<bool> taken_out_{false};
  std::unique_ptr<AdminServer> admin_;
};

}  // namespace apollo

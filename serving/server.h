#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <grpcpp/grpcpp.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/registry.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "serving/call_gate.h"
#include "serving/call_guard.h"
#include "serving/cluster_channel.h"  // IWYU pragma: export
#include "serving/connection_gate.h"
#include "serving/metric_spec.h"
#include "serving/port_watch.h"
#include "serving/process_metrics.h"
#include "serving/reflection.h"
#include "serving/server_metrics.h"
#include "serving/tls.h"
#include "serving/unknown_methods.h"

namespace apollo {

struct ServerOptions {
  // gRPC; port 0: any free port. Or unix:/path.
  std::string listen = "127.0.0.1:0";
  std::string metrics_listen = "127.0.0.1:0";  // HTTP, /metrics.
  std::string address_file;  // File for both addresses; empty: none.
  bool reflection = false;
  // Asked for each call of reflection, and of methods that no service has.
  // Services ask for themselves. With a gate, reflection has no v1alpha, which
  // belongs to gRPC and cannot be asked. Null: all calls may come.
  CallGate gate = nullptr;
  // Maximum number of open connections to the gRPC port, including idle ones;
  // further ones are closed immediately.
  int max_connections = 1000;
  // The certificate of the process, for gRPC. Null: plaintext.
  std::shared_ptr<Tls> tls;
  // Over TLS, clients must have a certificate. If false, they may.
  bool clients_need_certificate = true;
  int max_message_bytes = 4 << 20;
  int max_metadata_bytes = 8 << 10;  // Headers of one call.
  // Maximum number of calls at a time on one connection; a client makes further
  // ones wait (RFC 9113, section 5.1.2). A router runs all its sequences on one
  // connection to a worker, which has its own bounds of them.
  int max_streams_per_connection = 16 << 10;
  // Age at which a connection takes no new calls, so that its client opens
  // another one: to another process, with a certificate that is still valid.
  // Its calls go on for as long again, and are then cancelled. Within 10 %.
  absl::Duration max_connection_age = absl::InfiniteDuration();
  // A peer that has sent nothing for `keepalive_time` is pinged, and considered
  // lost if it does not answer within `keepalive_timeout`. Peers in a cluster
  // answer immediately.
  absl::Duration keepalive_time = absl::Seconds(2);
  absl::Duration keepalive_timeout = absl::Seconds(3);
};

// A gRPC service and its name in the health service: T::service_full_name() of
// the generated class T. Over TLS, `callers` limits who may call it; health and
// reflection are for everybody who can connect.
struct NamedService {
  grpc::Service* service = nullptr;
  std::string name;
  Callers callers = {};
};

// How the calls in progress end when a server stops.
struct LastCalls {
  // Time that they have to end by themselves.
  absl::Duration grace;
  // Returns true if none needs time any more. Others, such as those that watch
  // the health of the process, never end by themselves. Null: all need it.
  std::function<bool()> none_left = nullptr;
  // Ends the calls that are left after `grace`, which then have kLastWord to
  // tell their clients. Null: they are cancelled.
  std::function<void()> end = nullptr;

  static constexpr absl::Duration kLastWord = absl::Seconds(1);
};

// How a process judges itself. None may block.
struct HealthChecks {
  // Readiness: it can serve calls now. The health of the empty name and of each
  // service.
  std::function<bool()> ready;
  // Liveness: its engine makes progress; otherwise it should be started again.
  // The health of the name "liveness". Null: it always does.
  std::function<bool()> alive = nullptr;
};

// The name of the liveness of a process in the health service.
inline constexpr char kLiveness[] = "liveness";

// The endpoints of a process: a gRPC server with health checking (and
// reflection, v1 and v1alpha), and /metrics over HTTP. The life of a process is
//
//   BlockStopSignals();  // common/stop_request.h; first thing in main()
//   ...load...
//   server = Server::Start(options, services, metrics);
//   status = server->RunUntilStopped({ready, alive});  // health follows them
//   ...drain...
//   server->Shutdown({.grace = grace});
// Single-threaded.
class Server {
 public:
  // Binds and starts. Health is NOT_SERVING at first, for each service by its
  // name, and for the process under the empty name; "liveness" is SERVING.
  // /metrics serves everything that `metrics` collect, and facts of the
  // process. They and the services must outlive the server. Returns UNAVAILABLE
  // or INVALID_ARGUMENT naming the address if one cannot be bound. When both
  // ports listen, writes the address file atomically, or returns an error
  // naming the file:
  //   grpc HOST:PORT (or unix:/path)
  //   metrics HOST:PORT
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      const ServerOptions& options, const std::vector<NamedService>& services,
      const std::vector<std::shared_ptr<prometheus::Collectable>>& metrics);
  ~Server();

  // Sets health from `checks` several times a second until SIGTERM or SIGINT,
  // then all but the liveness to NOT_SERVING. Returns OK, or UNAVAILABLE if
  // it ended because a port takes no connections any more (PortWatch), which
  // has been logged; then the process should end, to be started again.
  absl::Status RunUntilStopped(const HealthChecks& checks);

  // Sets the health of the process and of each service.
  void SetServing(bool serving);
  // Sets the health of "liveness".
  void SetAlive(bool alive);

  // Accepts no new connections and calls, tells clients so (GOAWAY), and
  // returns when the calls in progress have ended as `last` says; those that
  // are left then are cancelled.
  void Shutdown(const LastCalls& last);

  const std::string& address() const { return address_; }
  const std::string& metrics_address() const { return metrics_address_; }

 private:
  Server();

  absl::Status ServeMetrics(
      const std::string& listen,
      const std::vector<std::shared_ptr<prometheus::Collectable>>& metrics);
  void WatchPorts();

  std::vector<std::string> service_names_;
  std::shared_ptr<Tls> tls_;  // Null: plaintext.

  // Metrics of the server itself.
  const std::shared_ptr<prometheus::Registry> registry_ =
      std::make_shared<prometheus::Registry>();
  const std::shared_ptr<prometheus::Collectable> process_metrics_ =
      std::make_shared<ProcessMetrics>();
  prometheus::Gauge& ready_metric_;
  prometheus::Gauge& live_metric_;
  // Used by server_.
  std::unique_ptr<ReflectionService> reflection_;
  std::unique_ptr<UnknownMethods> unknown_methods_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<ConnectionGate> gate_;  // Hands connections to server_.
  std::unique_ptr<prometheus::Exposer> exposer_;
  std::string address_;
  std::string metrics_address_;
  std::vector<std::unique_ptr<PortWatch>> watches_;
};

}  // namespace apollo

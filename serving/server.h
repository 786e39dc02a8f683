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

#include "serving/connection_gate.h"

namespace apollo {

struct ServerOptions {
  std::string listen = "127.0.0.1:0";          // gRPC; port 0: any free one.
  std::string metrics_listen = "127.0.0.1:0";  // HTTP, /metrics.
  std::string address_file;  // Where to write both addresses; empty: nowhere.
  bool reflection = false;
  // Open at once to the gRPC port, idle ones too; more are closed at once.
  int max_connections = 1000;
  int max_message_bytes = 4 << 20;
  int max_metadata_bytes = 8 << 10;  // Of the headers of one call.
  // After so long without a word from a peer it is asked whether it is there,
  // and taken for lost if it does not answer for so long. Peers in a cluster
  // answer at once.
  absl::Duration keepalive_time = absl::Seconds(2);
  absl::Duration keepalive_timeout = absl::Seconds(3);
};

// A service to serve, and the name under which the health service answers for
// it: T::service_full_name() of the generated class T.
struct NamedService {
  grpc::Service* service = nullptr;
  std::string name;
};

// One process's endpoints: a gRPC server with health checking (and reflection),
// and /metrics over HTTP. The life of a process is
//
//   BlockStopSignals();                  // first thing in main()
//   ...load...
//   server = Server::Start(options, services, metrics);
//   server->RunUntilStopped(ready);      // health follows ready()
//   ...drain...
//   server->Shutdown(grace);
//
// Used by one thread.
class Server {
 public:
  // Binds and starts. Health says NOT_SERVING at first: for each service by its
  // name, and for the process under the empty name. /metrics serves what all of
  // `metrics` collect. They and the services must outlive the server.
  // UNAVAILABLE or INVALID_ARGUMENT naming the address if one cannot be bound.
  // Writes the address file, in one piece, when both listen:
  //   grpc HOST:PORT
  //   metrics HOST:PORT
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      const ServerOptions& options, const std::vector<NamedService>& services,
      const std::vector<std::shared_ptr<prometheus::Collectable>>& metrics);
  ~Server();

  // Sets health from ready() several times a second until SIGTERM or SIGINT
  // comes; then health says NOT_SERVING. ready() must not block.
  void RunUntilStopped(const std::function<bool()>& ready);

  // Sets what the health service says of the process and of each service.
  void SetServing(bool serving);

  // No new connections and calls; calls in progress may take `grace` to end
  // before they are cancelled.
  void Shutdown(absl::Duration grace);

  const std::string& address() const { return address_; }
  const std::string& metrics_address() const { return metrics_address_; }

 private:
  Server() = default;

  std::vector<std::string> service_names_;

  // Metrics of the server itself.
  const std::shared_ptr<prometheus::Registry> registry_ =
      std::make_shared<prometheus::Registry>();
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<ConnectionGate> gate_;  // Hands connections to server_.
  std::unique_ptr<prometheus::Exposer> exposer_;
  std::string address_;
  std::string metrics_address_;
};

// Leaves SIGTERM and SIGINT to RunUntilStopped; ignores SIGPIPE. Call it before
// any thread starts.
void BlockStopSignals();

// Whether SIGTERM or SIGINT has come since, without waiting: lets a long load
// stop.
bool StopRequested();

// A channel to another process of the cluster, with keepalive that ends dead
// connections within seconds, and quick reconnection.
std::shared_ptr<grpc::Channel> MakeClusterChannel(const std::string& address);

}  // namespace apollo

#pragma once

#include <absl/status/statusor.h>
#include <prometheus/registry.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <unordered_map>

#include "serving/file_descriptor.h"
#include "serving/listener.h"
#include "serving/metric_spec.h"

namespace apollo {

inline constexpr MetricSpec kConnectionMetrics[] = {
    {"apollo_connections", MetricKind::kGauge,
     "Open connections to the gRPC port."},
    {"apollo_connections_refused_total", MetricKind::kCounter,
     "Connections closed immediately because too many were open."},
};

// Accepts connections for a server that cannot limit them itself, and hands
// them over. Connections beyond the maximum are closed immediately. A
// connection counts from its arrival until its socket is shut down in both
// directions, even if it is idle:
//
// - The gate keeps a second descriptor of each socket. The kernel reports
//   (EPOLLHUP) when the owner of the first one shuts the socket down, as gRPC
//   does before it closes a connection, or when the peer resets it. So an open
//   connection takes two descriptors of the process.
// - A peer that only stops sending still counts: the server detects that and
//   closes its side.
//
// Until the gate closes the second descriptor, gRPC may get one more event for
// a socket that it has closed. gRPC tolerates this: the state of a socket stays
// in memory after its end, and late events have no effect (LockfreeEvent).
//
// Publishes kConnectionMetrics.
class ConnectionGate {
 public:
  // Takes ownership of a new connection, a non-blocking socket. Called in the
  // gate's thread.
  using HandOver = std::function<void(int listener, int connection)>;

  // Starts accepting in a thread of its own. The registry must outlive the
  // gate. Returns RESOURCE_EXHAUSTED if the process cannot open the few files
  // that the gate needs.
  static absl::StatusOr<std::unique_ptr<ConnectionGate>> Open(
      Listener listener, int max_connections, HandOver hand_over,
      prometheus::Registry& registry);
  // Stops listening. Open connections stay open.
  ~ConnectionGate();
  ConnectionGate(const ConnectionGate&) = delete;
  ConnectionGate& operator=(const ConnectionGate&) = delete;

 private:
  ConnectionGate(Listener listener, int max_connections, HandOver hand_over,
                 prometheus::Registry& registry);

  absl::Status Watch(int file, std::uint32_t events);
  void Run();
  // Removes a connection that has ended.
  void Forget(int second);
  void AcceptAll(int listener);
  // Refuses a waiting connection, if there is one, when the process has no
  // descriptor left. Returns true if it refused one.
  bool RefuseWithReserve(int listener);
  void Admit(int listener, FileDescriptor connection);
  void Refuse(FileDescriptor connection);

  // Constant after construction.
  const Listener listener_;
  const int max_connections_;
  const HandOver hand_over_;
  prometheus::Gauge& open_metric_;
  prometheus::Counter& refused_metric_;
  FileDescriptor epoll_;
  FileDescriptor stop_;  // Readable when the thread must end.

  // Owned by the thread.
  std::unordered_map<int, FileDescriptor> open_;  // Second descriptors.
  FileDescriptor reserve_;  // Closed when a descriptor is needed.
  // Connections that were open at the refusal that was logged last, until half
  // of them have ended: refusals come in crowds.
  std::optional<int> told_at_;

  std::thread thread_;
};

// Raises the soft limit of the process's open files, if necessary, for that
// many connections. Returns the number of connections, at least 1, for which
// the limit suffices beside the other files of the process: `wanted`, or fewer
// if the hard limit is too low.
int AllowConnections(int wanted);

}  // namespace apollo

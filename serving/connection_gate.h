#pragma once

#include <absl/status/statusor.h>
#include <prometheus/registry.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_map>

#include "serving/file_descriptor.h"
#include "serving/listener.h"
#include "serving/single_metrics.h"

namespace apollo {

// Accepts connections for a server that has no bound of its own, and hands them
// over; one beyond the bound is closed at once. A connection counts from its
// arrival until its socket is shut down in both directions, whether it does
// anything or not:
//
// - The gate keeps a second descriptor of each socket, and hears from the
//   kernel (EPOLLHUP) when whoever has the first one shuts the socket down, as
//   gRPC does with every connection before it closes it, or when the peer
//   resets it. So an open connection takes two descriptors of the process.
// - A peer that only stops sending is not gone yet: the server sees that and
//   closes its side.
//
// gRPC may hear once more of a socket that it has closed, until the gate closes
// the second descriptor. It is made for that: what it watches stays in memory
// after its end, and news of it then changes nothing (LockfreeEvent).
//
// Publishes apollo_connections and apollo_connections_refused_total.
class ConnectionGate {
 public:
  // Takes a new connection, which does not block: it closes `connection`.
  // Called in the gate's thread.
  using HandOver = std::function<void(int listener, int connection)>;

  // Begins to accept, in a thread of its own. The registry must outlive the
  // gate. RESOURCE_EXHAUSTED if the process may not open the few files that the
  // gate itself needs.
  static absl::StatusOr<std::unique_ptr<ConnectionGate>> Open(
      Listener listener, int max_connections, HandOver hand_over,
      prometheus::Registry& registry);
  // Stops listening. Connections that are open stay.
  ~ConnectionGate();
  ConnectionGate(const ConnectionGate&) = delete;
  ConnectionGate& operator=(const ConnectionGate&) = delete;

 private:
  ConnectionGate(Listener listener, int max_connections, HandOver hand_over,
                 prometheus::Registry& registry);

  absl::Status Watch(int file, std::uint32_t events);
  void Run();
  // A connection is over.
  void Forget(int second);
  void AcceptAll(int listener);
  // The process has no descriptor left for a connection that may wait. Returns
  // true if one did, and was refused.
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
  FileDescriptor stop_;  // Readable once the thread is to end.

  // Owned by the thread.
  std::unordered_map<int, FileDescriptor> open_;  // Second descriptors.
  FileDescriptor reserve_;  // To be closed where one is needed.
  bool told_ = false;       // That connections are refused.

  std::thread thread_;
};

// Raises the soft limit of the process's open files, if necessary, so that it
// can hold so many connections. Returns false if the hard limit does not allow
// that: then connections beyond what is possible are refused, too.
bool AllowConnections(int max_connections);

}  // namespace apollo

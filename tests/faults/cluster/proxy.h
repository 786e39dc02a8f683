#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <list>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "common/mutex.h"
#include "tests/faults/cluster/proxy_connection.h"
#include "tests/faults/cluster/proxy_faults.h"

namespace apollo {

// Forwards TCP connections from a port of 127.0.0.1 to an address, in a thread
// of its own, and harms them on demand: ProxyFaults tells how. Thread-safe.
class Proxy {
 public:
  // Listens on a free port. `seed`: of the losses.
  static absl::StatusOr<std::unique_ptr<Proxy>> Start(std::uint64_t seed);
  // Resets all connections.
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  // "127.0.0.1:port".
  const std::string& address() const { return address_; }

  // Sets the address ("127.0.0.1:port") to which new connections go. Before
  // that, and while nobody listens there, they are reset.
  void SetTarget(const std::string& address);

  // Holds or releases one direction of all connections, present and new.
  void Hold(Way way, bool held);
  void SetDelay(absl::Duration delay);
  void SetLoss(double probability);
  void SetRefusing(bool refusing);
  // Closes the connection that takes this many further bytes in a direction,
  // behind the last of them.
  void TruncateAfter(Way way, std::int64_t bytes);
  // Resets all connections.
  void Cut();
  // Ends all harm: data that was held or delayed is delivered.
  void Heal();
  // Returns the number of open connections.
  int connections() const;

 private:
  Proxy(int listener, int wake, std::string address, std::uint64_t seed);

  void Run();
  // Does one round: accepts, moves data, removes connections that have ended.
  // Returns false when the proxy shall end.
  bool Turn();
  void Accept() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns the time until the next data is due, in the format of poll().
  int Timeout(absl::Duration now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes Run() see a change.
  void Wake();

  const int listener_, wake_;
  const std::string address_;
  mutable Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  int target_port_ ABSL_GUARDED_BY(mutex_) = 0;
  ProxyFaults faults_ ABSL_GUARDED_BY(mutex_);
  std::minstd_rand random_ ABSL_GUARDED_BY(mutex_);
  // Destroyed and read by Run() only; Cut() marks those that shall end.
  std::list<ProxyConnection> connections_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace apollo

#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "tests/faults/network/node.h"
#include "tests/faults/network/wire.h"

namespace apollo {

// A network of nodes, one for each process of a test, that can be harmed. Each
// node is a network namespace of its own with an address. A thread takes every
// IP packet that a node sends to the node that it is for, over the wire of this
// direction, which loses or delays it. So TCP is the kernel's, as between
// machines: a packet that is lost is sent again after a time that doubles, the
// end of a connection may remain unknown to the other side, and a node that
// cannot be reached neither accepts nor refuses connections.
//
// All of it ends with this object and the processes inside. Thread-safe.
class Network {
 public:
  // Makes nodes with these names, besides kHere. `seed`: of the losses.
  // FAILED_PRECONDITION unless this process has left the network of the machine
  // (own_network.h), which this class never changes. INVALID_ARGUMENT for more
  // than kMostNodes; other errors if the kernel refuses.
  static absl::StatusOr<std::unique_ptr<Network>> Make(
      const std::vector<std::string>& names, std::uint64_t seed);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // The node that this process is on.
  static constexpr char kHere[] = "client";

  // Returns the address of a node, without a port.
  std::string AddressOf(const std::string& node) const;
  // Runs `work` inside of a node (Node::Inside).
  void Inside(const std::string& node, absl::FunctionRef<void()> work) const;

  // Harm of one direction, until Heal().
  void Cut(const std::string& from, const std::string& to);
  void SetDelay(const std::string& from, const std::string& to,
                absl::Duration delay);
  void SetLoss(const std::string& from, const std::string& to,
               double probability);
  // Ends all harm. Packets that were lost remain so.
  void Heal();

 private:
  struct Packet {
    int to;
    std::string bytes;
  };

  Network(std::vector<std::string> names,
          std::vector<std::unique_ptr<Node>> nodes, int wake,
          std::uint64_t seed);

  int IndexOf(const std::string& node) const;
  WireFaults& FaultsOf(const std::string& from, const std::string& to)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Run();
  // Does one round: waits for packets, and takes them on. Returns false when
  // the network shall end.
  bool Turn();
  // Takes on the packets that a node has sent.
  void Collect(int from, absl::Duration now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DeliverDue(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::vector<std::string> names_;
  const std::vector<std::unique_ptr<Node>> nodes_;
  const int wake_;
  Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  // By the indices of both nodes.
  std::map<std::pair<int, int>, Wire> wires_ ABSL_GUARDED_BY(mutex_);
  // Delayed packets by the time of their arrival.
  std::multimap<absl::Duration, Packet> on_their_way_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace apollo

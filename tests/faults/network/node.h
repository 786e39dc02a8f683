#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>

namespace apollo {

// A machine of a Network: a network namespace with a loopback and an interface.
// The namespace ends with this object and the processes inside. Thread-safe.
class Node {
 public:
  // Makes a namespace.
  static absl::StatusOr<std::unique_ptr<Node>> Make(std::uint32_t address);
  // Makes the interface in the namespace of the calling thread.
  static absl::StatusOr<std::unique_ptr<Node>> MakeHere(std::uint32_t address);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Runs `work` in the calling thread, inside: sockets that it makes and
  // processes that it starts belong to this node.
  void Inside(absl::FunctionRef<void()> work) const;

  // The descriptor of the interface (MakeInterface).
  int packets() const { return packets_; }

 private:
  Node(int space, int packets) : space_(space), packets_(packets) {}

  const int space_;  // The namespace.
  const int packets_;
};

}  // namespace apollo

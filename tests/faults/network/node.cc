#include "tests/faults/network/node.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>

#include "common/check.h"
#include "common/status_macros.h"
#include "tests/faults/network/interface.h"

namespace apollo {
namespace {

// Returns a descriptor of the namespace of the calling thread.
int ThisNamespace() {
  return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

// Brings the thread back, at its end, into the namespace of its beginning.
class Return {
 public:
  Return() : space_(ThisNamespace()) { APOLLO_CHECK(space_ >= 0); }
  ~Return() {
    APOLLO_CHECK(setns(space_, CLONE_NEWNET) == 0);
    close(space_);
  }
  Return(const Return&) = delete;
  Return& operator=(const Return&) = delete;

 private:
  const int space_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Node>> Node::Make(std::uint32_t address) {
  const Return back;
  if (unshare(CLONE_NEWNET) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make a network namespace");
  }
  RETURN_IF_ERROR(BringUpLoopback());
  return MakeHere(address);
}

absl::StatusOr<std::unique_ptr<Node>> Node::MakeHere(std::uint32_t address) {
  ASSIGN_OR_RETURN(const int packets, MakeInterface(address));
  const int space = ThisNamespace();
  APOLLO_CHECK(space >= 0);
  return std::unique_ptr<Node>(new Node(space, packets));
}

Node::~Node() {
  close(packets_);
  close(space_);
}

void Node::Inside(absl::FunctionRef<void()> work) const {
  const Return back;
  APOLLO_CHECK(setns(space_, CLONE_NEWNET) == 0);
  work();
}

}  // namespace apollo

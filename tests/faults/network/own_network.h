#pragma once

#include <absl/status/status.h>

namespace apollo {

// Moves this process out of the network of the machine, into a new network
// namespace with nothing but a loopback, for as long as it runs. Without root
// it becomes root of a new user namespace, too. Call it before the process has
// other threads: a thread keeps the network in which it was made. Later calls
// return the result of the first.
//
// PERMISSION_DENIED or UNAVAILABLE, naming the step, where namespaces or TUN
// interfaces are not allowed; the process is then to be used for nothing that
// needs the machine's network.
absl::Status LeaveMachineNetwork();

// Returns whether that has been done.
bool HasLeftMachineNetwork();

}  // namespace apollo

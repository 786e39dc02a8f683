#pragma once

#include <optional>

#include "proto/apollo/v1/inference.pb.h"
#include "tools/apollo/errors.h"
#include "tools/apollo/session.h"

namespace apollo::client {

// What the routers of a session say about the cluster at one time.
struct ClusterLook {
  v1::GetStatusResponse status;  // See MergedStatus.
  // Every router has answered that every process is ready. `status` may look
  // so although one router has lost a worker that another still has.
  bool all_ready = false;
  // That of the first router if none answered; CANCELLED if the user has
  // cancelled a call (Interrupt::cancelled).
  std::optional<Failure> failure;
};

// Asks all routers at the same time, with one deadline: one that hangs costs
// the answers of no other.
ClusterLook LookAtCluster(Session& session);

// Returns a request for as much as a channel (channel.h) accepts.
v1::GetStatusRequest WholeStatus();

}  // namespace apollo::client

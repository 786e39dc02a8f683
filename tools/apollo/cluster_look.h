#pragma once

#include <optional>

#include "proto/apollo/v1/inference.pb.h"
#include "tools/apollo/errors.h"
#include "tools/apollo/session.h"

namespace apollo::client {

// What the routers of a session say about the cluster at one time.
struct ClusterLook {
  v1::GetStatusResponse status;  // See MergedStatus.
  // That of the first router if none answered, or of a call that the user
  // cancelled.
  std::optional<Failure> failure;
};

// Asks the routers, one after the other.
ClusterLook LookAtCluster(Session& session);

}  // namespace apollo::client

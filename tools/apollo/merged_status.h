#pragma once

#include <optional>
#include <string>
#include <vector>

#include "proto/apollo/v1/inference.pb.h"

namespace apollo::client {

// The answer of one router to GetStatus.
struct RouterAnswer {
  std::string server;  // Its address, as the user gave it.
  std::optional<v1::GetStatusResponse> status = std::nullopt;
  std::string reason = {};  // Why there is none.
};

// Returns the answers as one: the routers in their order, with their addresses,
// those that did not answer as unreachable; then each worker once, as the
// router that knows the best of it sees it, with the state for other routers in
// its reason; callers added up over the routers.
v1::GetStatusResponse MergedStatus(const std::vector<RouterAnswer>& answers);

// Returns "dense worker" for PROCESS_ROLE_DENSE_WORKER and "not ready" for
// PROCESS_STATE_NOT_READY. Unknown values stay numbers.
std::string RoleName(v1::ProcessRole role);
std::string StateName(v1::ProcessState state);

}  // namespace apollo::client

#pragma once

#include <string>

#include "engine/worker_setup.h"
#include "link/worker_info.h"

namespace apollo {

// Returns the identity of a worker that serves the model of the setup, for its
// links: everything that workers of both roles have. `numerics`: see
// engine/numerics.h.
WorkerInfo DescribeWorker(const WorkerSetup& setup, WorkerRole role,
                          std::string name, std::string numerics);

}  // namespace apollo

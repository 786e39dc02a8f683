#pragma once

#include <absl/status/status.h>

#include "link/worker_info.h"

namespace apollo {

// Returns OK if two workers may be linked, from the first thing that the peer
// says of itself. ALREADY_EXISTS if it is this process. FAILED_PRECONDITION,
// naming what differs with both values and what to do, if it is another worker
// of the same role and name, speaks no common version of the wire, or serves
// another checkpoint: another hash of the model, of its config or of its
// tokenizer.
//
// A hash that one side does not say is not compared: version 0 of the wire
// says neither config nor tokenizer, and a model directory for workers alone
// may have no tokenizer.json.
absl::Status CheckPeer(const WorkerInfo& self, const WorkerInfo& peer);

}  // namespace apollo

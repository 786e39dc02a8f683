#pragma once

#include <absl/status/status.h>

#include "link/worker_info.h"

namespace apollo {

// Returns OK if two workers may be linked, from the peer's first description.
// Returns ALREADY_EXISTS if the peer is this process. Returns
// FAILED_PRECONDITION, with the differing values and advice, if the peer
// - is another worker of the same role and name,
// - has no wire version in common, or
// - serves another checkpoint: the hash of its model, config or tokenizer
//   differs.
//
// Hashes are compared only if both sides send them: wire version 0 has none of
// the config and the tokenizer, and the model directory of a worker may have no
// tokenizer.json.
absl::Status CheckPeer(const WorkerInfo& self, const WorkerInfo& peer);

}  // namespace apollo

#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <string>

namespace apollo {

// The flags of workers that have peers: --expert_workers and --answer_timeout.
struct PeerFlags {
  std::string expert_workers;  // See serving/membership.h.
  absl::Duration answer_timeout;
};

// Reads the flags; call after absl::ParseCommandLine. `answer_timeout` is the
// default of --answer_timeout. Returns INVALID_ARGUMENT naming the flag whose
// value is out of range.
absl::StatusOr<PeerFlags> ReadPeerFlags(absl::Duration answer_timeout);

}  // namespace apollo

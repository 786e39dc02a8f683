#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <string>

#include "serving/nccl_flags.h"

namespace apollo {

// The flags of workers that have peers: --expert_workers, --answer_timeout,
// --lease and those of serving/dns_flags.h and serving/nccl_flags.h.
struct PeerFlags {
  std::string expert_workers;  // See serving/membership.h.
  std::string dns_server;
  absl::Duration answer_timeout;
  absl::Duration lease;
  NcclFlags nccl;
};

// Reads the flags; call after absl::ParseCommandLine. `answer_timeout` is the
// default of --answer_timeout. Returns INVALID_ARGUMENT naming the flag whose
// value is out of range, or the errors of ReadDnsServer and
// ReadNcclFlags.
absl::StatusOr<PeerFlags> ReadPeerFlags(absl::Duration answer_timeout);

}  // namespace apollo

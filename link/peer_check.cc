#include "link/peer_check.h"

#include <absl/strings/str_cat.h>

#include <string>

namespace apollo {
namespace {

absl::Status CheckIdentity(const WorkerInfo& self, const WorkerInfo& peer) {
  if (peer.role != self.role || peer.name != self.name) {
    return absl::OkStatus();
  }
  if (peer.instance == self.instance) {
    return absl::AlreadyExistsError("the peer is this process itself");
  }
  return absl::FailedPreconditionError(
      absl::StrCat("another worker is also named \"", peer.name,
                   "\"; give each its own --name"));
}

absl::Status CheckWire(const WorkerInfo& self, const WorkerInfo& peer) {
  if (peer.wire_version >= self.oldest_wire_version &&
      self.wire_version >= peer.oldest_wire_version) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "worker \"", peer.name, "\" speaks versions ", peer.oldest_wire_version,
      " to ", peer.wire_version, " of the wire, this one ",
      self.oldest_wire_version, " to ", self.wire_version));
}

absl::Status OtherCheckpoint(const std::string& peer, const char* what,
                             const std::string& theirs,
                             const std::string& own) {
  return absl::FailedPreconditionError(absl::StrCat(
      "worker \"", peer, "\" serves another checkpoint: its hash of ", what,
      " is ", theirs, ", that of this worker ", own,
      "; start all workers with the same --weights from copies of one model "
      "directory"));
}

bool Differ(const std::string& a, const std::string& b) {
  return !a.empty() && !b.empty() && a != b;
}

}  // namespace

absl::Status CheckPeer(const WorkerInfo& self, const WorkerInfo& peer) {
  if (absl::Status status = CheckIdentity(self, peer); !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckWire(self, peer); !status.ok()) return status;
  // The hash of the model covers the config; that of the config says more.
  if (Differ(peer.config_hash, self.config_hash)) {
    return OtherCheckpoint(peer.name, "config.json", peer.config_hash,
                           self.config_hash);
  }
  if (peer.model_hash != self.model_hash) {
    return OtherCheckpoint(peer.name, "the model", peer.model_hash,
                           self.model_hash);
  }
  if (Differ(peer.tokenizer_hash, self.tokenizer_hash)) {
    return OtherCheckpoint(peer.name, "tokenizer.json", peer.tokenizer_hash,
                           self.tokenizer_hash);
  }
  return absl::OkStatus();
}

}  // namespace apollo

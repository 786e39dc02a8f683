#include "link/nccl/transport_check.h"

#include <absl/strings/str_cat.h>

#include "link/nccl/nccl_api.h"

namespace apollo {

absl::Status CheckTransport(const DeviceTransport& self,
                            const DeviceTransport& peer) {
  if (self.nccl_version == 0 || peer.nccl_version == 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        self.nccl_version == 0 ? "this worker" : "the peer", " has no NCCL"));
  }
  // Ranks of different versions need not understand each other.
  if (self.nccl_version != peer.nccl_version) {
    return absl::FailedPreconditionError(absl::StrCat(
        "this worker has NCCL ", NcclVersionName(self.nccl_version),
        ", the peer ", NcclVersionName(peer.nccl_version),
        "; install the same version"));
  }
  if (self.host.empty() || self.host != peer.host) {
    if (self.across_hosts && peer.across_hosts) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(
        "the peer is not on this host, and ",
        self.across_hosts ? "it does not have" : "this worker does not have",
        " --nccl_across_hosts: NCCL does not encrypt"));
  }
  if (self.device == peer.device) {
    return absl::FailedPreconditionError(absl::StrCat(
        "both workers use device ", self.device, "; NCCL needs one for each"));
  }
  return absl::OkStatus();
}

}  // namespace apollo

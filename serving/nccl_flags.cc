#include "serving/nccl_flags.h"

#include <absl/flags/flag.h>
#include <absl/strings/str_cat.h>
#include <net/if.h>

#include "common/has_cuda.h"

ABSL_FLAG(bool, nccl_across_hosts, false,
          "Rows also travel by NCCL between GPUs of different hosts, "
          "UNENCRYPTED: hidden states of patients' text. Needs "
          "--nccl_interface, on a network that nobody else can read. Both "
          "workers must have it. By default NCCL joins only processes of one "
          "host. Only in builds with CUDA.");
ABSL_FLAG(std::string, nccl_interface, "",
          "The only network interface that NCCL may use, for example eth1. "
          "Only with --nccl_across_hosts.");

namespace apollo {

absl::StatusOr<NcclFlags> CheckNcclFlags(bool across_hosts,
                                         const std::string& interface,
                                         bool has_cuda) {
  if (!has_cuda && (across_hosts || !interface.empty())) {
    return absl::FailedPreconditionError(absl::StrCat(
        across_hosts ? "--nccl_across_hosts" : "--nccl_interface",
        " is set, but this program was built without CUDA and never uses "
        "NCCL; build it with --config=cuda"));
  }
  if (!across_hosts) {
    if (interface.empty()) return NcclFlags();
    return absl::InvalidArgumentError(absl::StrCat(
        "--nccl_interface is \"", interface,
        "\" without --nccl_across_hosts: within a host NCCL uses only lo"));
  }
  if (interface.empty()) {
    return absl::InvalidArgumentError(
        "--nccl_across_hosts needs --nccl_interface: NCCL does not encrypt, so "
        "its network must be named");
  }
  if (if_nametoindex(interface.c_str()) == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--nccl_interface is \"", interface,
                     "\", which is no network interface of this host"));
  }
  return NcclFlags{true, interface};
}

absl::StatusOr<NcclFlags> ReadNcclFlags() {
  return CheckNcclFlags(absl::GetFlag(FLAGS_nccl_across_hosts),
                        absl::GetFlag(FLAGS_nccl_interface), kHasCuda);
}

}  // namespace apollo

#include "serving/peer_flags.h"

#include <absl/flags/flag.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <optional>

#include "common/status_macros.h"
#include "serving/dns_flags.h"
#include "serving/flag_checks.h"

ABSL_FLAG(
    std::string, expert_workers, "",
    "Addresses of all expert workers; this one may be among them: "
    "host:port,host:port (or unix:/path, a Unix socket); file:/path for a "
    "file with one address per line, read again when it changes; dns:NAME:PORT "
    "for all addresses of a name in "
    "DNS, or dns:NAME for its SRV records, looked up every second. Required "
    "for a dense worker. An expert worker needs the addresses of those that "
    "hold the experts it lacks.");
ABSL_FLAG(std::optional<absl::Duration>, answer_timeout, std::nullopt,
          "Time without progress after which a worker that owes an answer is "
          "considered lost. Default: 30s in a dense worker, 10s in an expert "
          "worker.");

ABSL_FLAG(
    absl::Duration, lease, absl::Milliseconds(300),
    "Time without any frame from an expert worker that owes an answer "
    "after which its work moves to another one, if there is one. Expert "
    "workers report every 50 ms, also inside a long step. At least 200ms.");

namespace apollo {
namespace {

// Reports may be late, and workers look for them every 50 ms.
constexpr absl::Duration kShortestLease = absl::Milliseconds(200);

}  // namespace

absl::StatusOr<PeerFlags> ReadPeerFlags(absl::Duration answer_timeout) {
  PeerFlags flags;
  flags.expert_workers = absl::GetFlag(FLAGS_expert_workers);
  flags.answer_timeout =
      absl::GetFlag(FLAGS_answer_timeout).value_or(answer_timeout);
  RETURN_IF_ERROR(CheckAboveZero("answer_timeout", flags.answer_timeout));
  flags.lease = absl::GetFlag(FLAGS_lease);
  if (flags.lease < kShortestLease) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--lease is ", absl::FormatDuration(flags.lease),
        "; it must be at least ", absl::FormatDuration(kShortestLease),
        ", four times the interval of reports"));
  }
  ASSIGN_OR_RETURN(flags.dns_server, ReadDnsServer());
  ASSIGN_OR_RETURN(flags.nccl, ReadNcclFlags());
  return flags;
}

}  // namespace apollo

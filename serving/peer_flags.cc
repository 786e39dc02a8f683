#include "serving/peer_flags.h"

#include <absl/flags/flag.h>

#include "common/status_macros.h"
#include "serving/flag_checks.h"

ABSL_FLAG(std::string, expert_workers, "",
          "All expert workers, this one may be among them: host:port,host:port "
          "or file:/path with one address a line, read again when it changes. "
          "Required for a dense worker, and for an expert worker that does not "
          "hold all experts.");
ABSL_FLAG(absl::Duration, answer_timeout, absl::ZeroDuration(),
          "A worker that owes an answer and shows no progress for longer is "
          "taken for lost; 0: 30s in a dense worker, 10s in an expert worker.");

namespace apollo {

absl::StatusOr<PeerFlags> ReadPeerFlags(absl::Duration answer_timeout) {
  PeerFlags flags;
  flags.expert_workers = absl::GetFlag(FLAGS_expert_workers);
  flags.answer_timeout = absl::GetFlag(FLAGS_answer_timeout);
  if (flags.answer_timeout == absl::ZeroDuration()) {
    flags.answer_timeout = answer_timeout;
  }
  RETURN_IF_ERROR(CheckAboveZero("answer_timeout", flags.answer_timeout));
  return flags;
}

}  // namespace apollo

#include "serving/drain_flags.h"

#include <absl/flags/flag.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <string>

#include "common/status_macros.h"
#include "serving/flag_checks.h"

ABSL_FLAG(std::string, drain, "move",
          "What a worker does with its sequences after SIGTERM or SIGINT: "
          "\"move\" hands them over to other workers, which continue them "
          "without a difference; those that no other worker can take finish "
          "here. \"finish\" lets all finish here, and hands over those that "
          "are left after --drain_timeout. Routers, and apollo_local, have "
          "nowhere to move calls to, and let them finish.");
ABSL_FLAG(absl::Duration, drain_timeout, absl::Seconds(30),
          "Time that a process has for --drain after SIGTERM or SIGINT: to "
          "finish or hand over its sequences or calls, and, for an expert "
          "worker, to serve peers that need its experts. A second signal ends "
          "the process at once.");

namespace apollo {

absl::StatusOr<DrainOptions> ReadDrainFlags() {
  DrainOptions options;
  const std::string drain = absl::GetFlag(FLAGS_drain);
  if (drain != "move" && drain != "finish") {
    return absl::InvalidArgumentError(absl::StrCat(
        "--drain is \"", drain, "\"; it must be \"move\" or \"finish\""));
  }
  options.move = drain == "move";
  options.timeout = absl::GetFlag(FLAGS_drain_timeout);
  RETURN_IF_ERROR(CheckNotNegative("drain_timeout", options.timeout));
  return options;
}

}  // namespace apollo

#include "expert_worker/placement_flags.h"

#include <absl/flags/flag.h>
#include <absl/strings/str_cat.h>
#include <absl/time/time.h>

#include <cstdint>
#include <optional>
#include <string>

#include "common/status_macros.h"

ABSL_FLAG(
    std::string, experts, "all",
    "Experts to hold in memory: all, numbers such as 0,4, or auto: as many as "
    "--resident_megabytes takes (default: half of them), chosen by the name of "
    "the worker at first, then by use, as with --placement=auto. A model "
    "without experts takes only all.");
ABSL_FLAG(
    std::string, families, "all",
    "The same as --experts: expert N serves language family N, whose name and "
    "languages are in the line of the families file (--families_file) that "
    "begins with N. Only one of the two can be given.");
ABSL_FLAG(
    std::string, placement, "fixed",
    "What decides which experts the worker holds while it runs: fixed: only "
    "--experts; file:PATH: the worker's line in a placement file (see "
    "docs/placement.md), reloaded when it changes; auto: measured use, within "
    "the memory of --experts or --resident_megabytes.");
ABSL_FLAG(
    std::optional<std::int64_t>, standby_megabytes, std::nullopt,
    "Maximum size of further experts, loaded when rows need them and no other "
    "worker can compute these, or not as cheaply, in MiB. 0: none. Default: "
    "enough for one expert in all layers; on a GPU 0, the only value there.");
ABSL_FLAG(std::optional<std::int64_t>, resident_megabytes, std::nullopt,
          "With --placement=auto or --experts=auto: maximum size of the "
          "experts to hold, in MiB. Default: that of those it begins with.");
ABSL_FLAG(absl::Duration, restart_grace,
          apollo::PlacementOptions().restart_grace,
          "With --placement=auto: time within which a peer that has said that "
          "it stops is expected back, at most 1h. Until then, no copy of an "
          "expert is dropped to make room for what only it held. The same in "
          "all workers. 0: such a peer counts as lost.");

namespace apollo {
namespace {

absl::Status CheckGrace(absl::Duration grace) {
  if (grace >= absl::ZeroDuration() && grace <= absl::Hours(1)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("--restart_grace is ",
                                                 absl::FormatDuration(grace),
                                                 "; it must be from 0 to 1h"));
}

absl::Status CheckSize(const char* flag,
                       const std::optional<std::int64_t>& megabytes) {
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  if (!megabytes || (*megabytes >= 0 && *megabytes <= kMost)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "--", flag, " is ", *megabytes, "; it must be from 0 to ", kMost));
}

}  // namespace

absl::StatusOr<PlacementOptions> ReadPlacementFlags() {
  PlacementOptions options;
  const std::string experts = absl::GetFlag(FLAGS_experts);
  const std::string families = absl::GetFlag(FLAGS_families);
  if (experts != "all" && families != "all") {
    return absl::InvalidArgumentError(absl::StrCat(
        "--experts is \"", experts, "\" and --families is \"", families,
        "\"; only one of them can be given, because expert N serves family N"));
  }
  // Not optional flags: Abseil takes "--experts=" for an unset one.
  if (families != "all") options.flag = "--families";
  options.experts = families != "all" ? families : experts;
  options.placement = absl::GetFlag(FLAGS_placement);
  options.standby_megabytes = absl::GetFlag(FLAGS_standby_megabytes);
  options.resident_megabytes = absl::GetFlag(FLAGS_resident_megabytes);
  RETURN_IF_ERROR(CheckSize("standby_megabytes", options.standby_megabytes));
  RETURN_IF_ERROR(CheckSize("resident_megabytes", options.resident_megabytes));
  options.restart_grace = absl::GetFlag(FLAGS_restart_grace);
  RETURN_IF_ERROR(CheckGrace(options.restart_grace));
  return options;
}

}  // namespace apollo

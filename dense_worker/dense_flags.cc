#include "dense_worker/dense_flags.h"

#include <absl/flags/flag.h>
#include <absl/strings/str_cat.h>
#include <absl/time/time.h>

#include <cstdint>
#include <optional>
#include <string>

#include "common/status_macros.h"
#include "serving/flag_checks.h"

ABSL_FLAG(int, max_running, 64,
          "Maximum number of sequences that run at once.");
ABSL_FLAG(int, token_budget, 512, "Maximum number of rows in one step.");
ABSL_FLAG(
    int, mixed_token_budget, 16,
    "Maximum number of prompt rows in one step while many more answers are "
    "being generated than begun. A lower number makes tokens arrive more "
    "steadily and prompts take longer.");
ABSL_FLAG(
    std::optional<int>, steps_in_flight, std::nullopt,
    "Steps in flight. With 2, dense and expert workers compute at the same "
    "time. 1 is better where they share processors, because larger steps "
    "read the weights less often. Default: 2, or 1 with all roles in one "
    "process.");
ABSL_FLAG(
    int, max_waiting, 1024,
    "Maximum number of sequences that wait for cache space; more are refused.");
ABSL_FLAG(std::int64_t, max_waiting_tokens,
          apollo::DenseCore::Options().max_waiting_tokens,
          "Maximum number of tokens of the prompts and answers of the waiting "
          "sequences together; more are refused, unless none is waiting.");
ABSL_FLAG(
    double, max_waiting_per_running, 0.5,
    "Maximum number of new sequences that wait while there is no room, for "
    "each that runs, from 0.01 to 100; more are refused at once, except 16 in "
    "any case, and answers that were begun elsewhere. So what is admitted "
    "waits for about as long as this many times a sequence runs. Sequences of "
    "a lower priority do not count. 0: only --max_waiting and "
    "--max_waiting_tokens count.");
ABSL_FLAG(
    double, overcommit, 1.0,
    "Sequences start while running ones are expected to need no more cache "
    "than exists times this factor, from 1 to 100. The length of an answer is "
    "expected from those that have ended, and never above its limit. More "
    "starts sequences earlier, but those that find no room later are computed "
    "again. 0 starts all whose prompts fit. Results do not depend on it.");
ABSL_FLAG(absl::Duration, priority_ageing, absl::Seconds(10),
          "Time in which a sequence gains one level of priority while others "
          "of a higher priority are there, so that none waits for ever: a "
          "priority that is lower by d is put off by at most d times as long. "
          "0: priorities do not age. Results do not depend on it.");
ABSL_FLAG(
    std::string, pinning, "prefer",
    "Choice of the expert worker of a sequence. prefer: one that has the "
    "expert of its language family in memory, unless its load is more than 1.5 "
    "times the mean. strict: only such a worker; without one, requests fail "
    "with UNAVAILABLE. none: the one with the least load.");

namespace apollo {
namespace {

// Written so that NaN fails.
absl::Status CheckOvercommit(double value) {
  if (value == 0 || (value >= 1 && value <= 100)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--overcommit is ", value, "; it must be 0 or from 1 to 100"));
}

// The same.
absl::Status CheckShare(double value) {
  if (value == 0 || (value >= 0.01 && value <= 100)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--max_waiting_per_running is ", value,
                   "; it must be 0 or from 0.01 to 100"));
}

// More would only add latency: two already keep both sides busy.
constexpr int kMostStepsInFlight = 16;

}  // namespace

absl::StatusOr<DenseCore::Options> ReadDenseFlags(int steps_in_flight) {
  DenseCore::Options options;
  options.scheduler.max_running = absl::GetFlag(FLAGS_max_running);
  options.scheduler.token_budget = absl::GetFlag(FLAGS_token_budget);
  options.scheduler.mixed_token_budget =
      absl::GetFlag(FLAGS_mixed_token_budget);
  options.steps_in_flight =
      absl::GetFlag(FLAGS_steps_in_flight).value_or(steps_in_flight);
  options.max_waiting = absl::GetFlag(FLAGS_max_waiting);
  options.max_waiting_tokens = absl::GetFlag(FLAGS_max_waiting_tokens);
  options.max_waiting_per_running =
      absl::GetFlag(FLAGS_max_waiting_per_running);
  RETURN_IF_ERROR(CheckShare(options.max_waiting_per_running));
  options.scheduler.overcommit = absl::GetFlag(FLAGS_overcommit);
  const absl::Duration ageing = absl::GetFlag(FLAGS_priority_ageing);
  RETURN_IF_ERROR(CheckNotNegative("priority_ageing", ageing));
  options.scheduler.ageing =
      ageing == absl::ZeroDuration() ? absl::InfiniteDuration() : ageing;
  ASSIGN_OR_RETURN(options.pinning, ParsePinning(absl::GetFlag(FLAGS_pinning)));
  RETURN_IF_ERROR(
      CheckAtLeastOne("max_running", options.scheduler.max_running));
  RETURN_IF_ERROR(
      CheckAtLeastOne("token_budget", options.scheduler.token_budget));
  RETURN_IF_ERROR(CheckAtLeastOne("mixed_token_budget",
                                  options.scheduler.mixed_token_budget));
  RETURN_IF_ERROR(CheckFromTo("steps_in_flight", options.steps_in_flight, 1,
                              kMostStepsInFlight));
  RETURN_IF_ERROR(CheckAtLeastOne("max_waiting", options.max_waiting));
  RETURN_IF_ERROR(
      CheckAtLeastOne("max_waiting_tokens", options.max_waiting_tokens));
  RETURN_IF_ERROR(CheckOvercommit(options.scheduler.overcommit));
  return options;
}

}  // namespace apollo

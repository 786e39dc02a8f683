#include "tests/faults/scenarios/observation.h"

#include "tests/faults/cluster/eventually.h"

namespace apollo {

absl::StatusOr<Period> Observe(Trial& trial) {
  const absl::Duration from = Now();
  const int rounds = trial.long_run() ? 10 : 2;
  for (int i = 0; i < rounds; ++i) {
    if (!trial.streams().WaitForTokens(trial.tokens_of_a_round(),
                                       5 * kPatience)) {
      return absl::UnavailableError("the streams do not go on");
    }
  }
  return Period{from, Now()};
}

absl::Status AwaitMixedStreams(Trial& trial) {
  // Requests with three choices take longer than the others.
  if (trial.streams().WaitForTokens(2 * trial.tokens_of_a_round(),
                                    5 * kPatience)) {
    return absl::OkStatus();
  }
  return absl::UnavailableError("the streams do not go on");
}

absl::Duration GapP99(const Trial& trial, const std::vector<Period>& periods,
                      const Counts& counts) {
  Pauses gaps;
  for (const Period& period : periods) {
    gaps.Add(GapsWithin(trial.checked(), period.from, period.until, counts));
  }
  return gaps.Quantile(0.99);
}

absl::Duration UndisturbedGapP99(Trial& trial, const Period& before,
                                 const Period& after, const Counts& counts) {
  const absl::Duration both = GapP99(trial, {before, after}, counts);
  auto& figures = trial.outcome().figures;
  figures["undisturbed_gap_p99_seconds"] = absl::ToDoubleSeconds(both);
  figures["undisturbed_before_gap_p99_seconds"] =
      absl::ToDoubleSeconds(GapP99(trial, {before}, counts));
  figures["undisturbed_after_gap_p99_seconds"] =
      absl::ToDoubleSeconds(GapP99(trial, {after}, counts));
  return both;
}

}  // namespace apollo

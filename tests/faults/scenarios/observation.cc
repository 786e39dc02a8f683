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

absl::Duration GapP99(const Trial& trial, const Period& period,
                      const Counts& counts) {
  return GapsWithin(trial.checked(), period.from, period.until, counts)
      .Quantile(0.99);
}

}  // namespace apollo

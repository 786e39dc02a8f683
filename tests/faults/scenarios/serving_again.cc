#include "tests/faults/scenarios/serving_again.h"

#include "tests/faults/cluster/eventually.h"

namespace apollo {

absl::Status AwaitServing(Trial& trial, const std::string& name) {
  // Every role counts the tokens that pass through it.
  const char kTokens[] = "apollo_generation_tokens_total";
  const double before = trial.cluster().Metric(name, kTokens);
  const bool serves = Eventually(kPatience, [&] {
    return trial.cluster().Metric(name, kTokens) > before;
  });
  if (serves) return absl::OkStatus();
  return absl::DeadlineExceededError(name + " does not serve again");
}

}  // namespace apollo

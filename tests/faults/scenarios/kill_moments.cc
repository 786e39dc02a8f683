#include "tests/faults/scenarios/kill_moments.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "common/status_macros.h"

namespace apollo {

absl::Status KillAndRestore(Trial& trial,
                            const std::vector<std::string>& victims) {
  trial.MarkFault("kill -9 " + absl::StrJoin(victims, ", "));
  for (const std::string& victim : victims) trial.cluster().Kill(victim);
  RETURN_IF_ERROR(trial.AwaitEach());
  for (const std::string& victim : victims) {
    RETURN_IF_ERROR(trial.cluster().Restart(victim));
  }
  return trial.cluster().AwaitWhole();
}

absl::Status KillAtMoments(Trial& trial, ProcessKind kind, int moments) {
  trial.StartStreams(kind == ProcessKind::kRouter ? Trial::Client::kResume
                                                  : Trial::Client::kPlain);
  for (int i = 0; i < moments; ++i) {
    RETURN_IF_ERROR(trial.AwaitMoment());
    RETURN_IF_ERROR(KillAndRestore(trial, {trial.PickProcess(kind)}));
  }
  trial.EndStreams();
  trial.CheckGrowth();
  return absl::OkStatus();
}

}  // namespace apollo

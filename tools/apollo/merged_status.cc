#include "tools/apollo/merged_status.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
#include <absl/strings/strip.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace apollo::client {
namespace {

std::string Words(const std::string& name, const char* prefix, int value) {
  if (name.empty()) return absl::StrCat("value ", value);
  return absl::StrReplaceAll(
      absl::AsciiStrToLower(absl::StripPrefix(name, prefix)), {{"_", " "}});
}

// Lower is better.
int RankOf(v1::ProcessState state) {
  switch (state) {
    case v1::PROCESS_STATE_READY:
      return 0;
    case v1::PROCESS_STATE_DRAINING:
      return 1;
    case v1::PROCESS_STATE_NOT_READY:
      return 2;
    case v1::PROCESS_STATE_UNREACHABLE:
      return 3;
    default:
      return 4;
  }
}

// A worker, as all routers see it.
class Worker {
 public:
  void Add(const std::string& server, const v1::ProcessStatus& seen) {
    if (seen_.empty() || RankOf(seen.state()) < RankOf(best_.state())) {
      best_ = seen;
    }
    seen_.emplace_back(server, seen.state());
  }

  v1::ProcessStatus Status() const {
    v1::ProcessStatus status = best_;
    for (const auto& [server, state] : seen_) {
      if (state == status.state()) continue;
      status.set_reason(absl::StrCat(status.reason(),
                                     status.reason().empty() ? "" : "; ",
                                     StateName(state), " for router ", server));
    }
    return status;
  }

 private:
  v1::ProcessStatus best_;
  std::vector<std::pair<std::string, v1::ProcessState>> seen_;
};

v1::ProcessStatus RouterRow(const RouterAnswer& answer) {
  v1::ProcessStatus router;
  if (!answer.status) {
    router.set_role(v1::PROCESS_ROLE_ROUTER);
    router.set_state(v1::PROCESS_STATE_UNREACHABLE);
    router.set_reason(answer.reason);
  } else if (answer.status->processes_size() > 0) {
    router = answer.status->processes(0);
  }
  router.set_address(answer.server);
  return router;
}

void Add(const v1::CallerStatus& more, v1::CallerStatus& sum) {
  sum.set_name(more.name());
  sum.set_calls(sum.calls() + more.calls());
  sum.set_calls_failed(sum.calls_failed() + more.calls_failed());
  sum.set_prompt_tokens(sum.prompt_tokens() + more.prompt_tokens());
  sum.set_generated_tokens(sum.generated_tokens() + more.generated_tokens());
  sum.set_streams(sum.streams() + more.streams());
}

}  // namespace

std::string RoleName(v1::ProcessRole role) {
  return Words(v1::ProcessRole_Name(role), "PROCESS_ROLE_", role);
}

std::string StateName(v1::ProcessState state) {
  return Words(v1::ProcessState_Name(state), "PROCESS_STATE_", state);
}

v1::GetStatusResponse MergedStatus(const std::vector<RouterAnswer>& answers) {
  v1::GetStatusResponse merged;
  // By role, address and, where that is the address of a process only for this
  // router (of its own process, or of a socket on its machine) or for a dense
  // worker, by router and name.
  std::map<std::tuple<v1::ProcessRole, std::string, std::string, std::string>,
           Worker>
      workers;
  std::map<std::string, v1::CallerStatus> callers;
  for (const RouterAnswer& answer : answers) {
    *merged.add_processes() = RouterRow(answer);
    if (!answer.status) continue;
    for (int i = 1; i < answer.status->processes_size(); ++i) {
      const v1::ProcessStatus& seen = answer.status->processes(i);
      const bool local =
          seen.address().empty() || seen.address().compare(0, 5, "unix:") == 0;
      workers[{seen.role(), seen.address(), local ? answer.server : "",
               local ? seen.name() : ""}]
          .Add(answer.server, seen);
    }
    merged.set_processes_left_out(std::max(
        merged.processes_left_out(), answer.status->processes_left_out()));
    for (const v1::CallerStatus& caller : answer.status->callers()) {
      Add(caller, callers[caller.name()]);
    }
    if (merged.families().empty()) {
      *merged.mutable_families() = answer.status->families();
    }
  }
  std::vector<v1::ProcessStatus> rows;
  for (const auto& [key, worker] : workers) rows.push_back(worker.Status());
  std::sort(rows.begin(), rows.end(),
            [](const v1::ProcessStatus& a, const v1::ProcessStatus& b) {
              return std::tuple(a.role(), a.name(), a.address()) <
                     std::tuple(b.role(), b.name(), b.address());
            });
  for (v1::ProcessStatus& row : rows) *merged.add_processes() = std::move(row);
  for (const auto& [name, caller] : callers) *merged.add_callers() = caller;
  return merged;
}

}  // namespace apollo::client

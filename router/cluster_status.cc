#include "router/cluster_status.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>

namespace apollo {
namespace {

const std::string& NameOf(const DenseStatus& dense) {
  return dense.name.empty() ? dense.address : dense.name;
}

ProcessStatus StatusOf(const DenseStatus& dense) {
  ProcessStatus status{.role = ProcessRole::kDenseWorker,
                       .name = dense.name,
                       .address = dense.address,
                       .reason = dense.reason,
                       .model_hash = dense.model_hash,
                       .version = dense.version,
                       .running_sequences = dense.running_sequences,
                       .queued_rows = dense.queued_rows};
  status.state = !dense.answered ? ProcessState::kUnreachable
                 : dense.usable  ? ProcessState::kReady
                                 : ProcessState::kNotReady;
  if (!dense.details) return status;
  const WorkerDetails& details = *dense.details;
  if (dense.answered && details.draining) {
    status.state = ProcessState::kDraining;
    status.reason.clear();
  }
  status.waiting_sequences = details.waiting_sequences;
  status.rows_computed = details.rows_computed;
  status.certificate_expires = details.certificate_expires;
  if (details.cache_blocks > 0) {
    status.cache_use = static_cast<double>(details.cache_blocks_used) /
                       static_cast<double>(details.cache_blocks);
  }
  return status;
}

// An expert worker, as all dense workers see it.
class Expert {
 public:
  void Add(const DenseStatus& dense, const ListedWorker& listed) {
    if (listed.info && (!info_ || info_->instance != listed.info->instance
                            ? listed.linked || !info_
                            : listed.info->revision > info_->revision)) {
      info_ = listed.info;
    }
    linked_ = linked_ || listed.linked;
    if (listed.linked) return;
    absl::StrAppend(&missing_, missing_.empty() ? "" : "; ",
                    "no link from dense worker ", NameOf(dense),
                    listed.reason.empty() ? "" : ": ", listed.reason);
  }

  ProcessStatus Status(const std::string& address) const {
    ProcessStatus status{.role = ProcessRole::kExpertWorker,
                         .address = address,
                         .reason = missing_};
    if (info_) {
      status.name = info_->name;
      status.model_hash = info_->model_hash;
      status.version = info_->version;
      status.experts = info_->resident.everywhere;
      status.layer_experts = info_->resident.in_layer;
      status.running_sequences = info_->running_sequences;
      status.queued_rows = info_->queued_rows;
      status.cache_tokens = info_->cache_tokens;
      if (linked_ && info_->cache_tokens > 0) {
        status.cache_use = static_cast<double>(info_->cache_tokens_used) /
                           static_cast<double>(info_->cache_tokens);
      }
      status.rows_computed = info_->rows_computed;
      status.certificate_expires = info_->certificate_expires;
      status.placement = info_->placement;
    }
    if (!linked_) {
      status.state = ProcessState::kUnreachable;
      status.running_sequences = status.queued_rows = 0;
    } else if (info_ && info_->draining) {
      status.state = ProcessState::kDraining;
    } else if (!info_ || !info_->ready) {
      status.state = ProcessState::kNotReady;
      if (status.reason.empty()) status.reason = "its engine does not run yet";
    }
    return status;
  }

 private:
  std::optional<WorkerInfo> info_;
  bool linked_ = false;
  std::string missing_;  // The dense workers without a link to it.
};

// Returns what tells an expert worker apart from others: its address, and its
// name where each machine may have a socket of that address. Without a name,
// it is not known to be one that has one.
std::pair<std::string, std::string> KeyOf(const ListedWorker& listed) {
  const bool local = listed.address.compare(0, 5, "unix:") == 0;
  return {listed.address, local && listed.info ? listed.info->name : ""};
}

void SortByName(std::vector<ProcessStatus>& processes) {
  std::sort(processes.begin(), processes.end(),
            [](const ProcessStatus& a, const ProcessStatus& b) {
              return std::tie(a.name, a.address) < std::tie(b.name, b.address);
            });
}

}  // namespace

std::vector<ProcessStatus> MergeStatus(const std::vector<DenseStatus>& dense) {
  std::vector<ProcessStatus> workers;
  std::map<std::pair<std::string, std::string>, Expert> experts;  // By KeyOf.
  for (const DenseStatus& worker : dense) {
    workers.push_back(StatusOf(worker));
    if (!worker.details) continue;
    for (const ListedWorker& listed : worker.details->expert_workers) {
      experts[KeyOf(listed)].Add(worker, listed);
    }
  }
  SortByName(workers);
  std::vector<ProcessStatus> expert_workers;
  for (const auto& [key, expert] : experts) {
    expert_workers.push_back(expert.Status(key.first));
  }
  SortByName(expert_workers);
  workers.insert(workers.end(), std::make_move_iterator(expert_workers.begin()),
                 std::make_move_iterator(expert_workers.end()));
  return workers;
}

}  // namespace apollo

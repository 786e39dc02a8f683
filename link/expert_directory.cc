#include "link/expert_directory.h"

#include <algorithm>
#include <tuple>

namespace apollo {

bool ExpertDirectory::Update(LinkId id, const WorkerInfo& info) {
  const auto [it, added] = workers_.try_emplace(id);
  Worker& worker = it->second;
  if (!added && info.revision <= worker.info.revision) return false;
  worker.info = info;
  return true;
}

void ExpertDirectory::SetLeaving(LinkId id, bool leaving) {
  const auto it = workers_.find(id);
  if (it != workers_.end()) it->second.leaving = leaving;
}

bool ExpertDirectory::Holds(const Worker& worker, int layer, int expert) const {
  return worker.info.role == WorkerRole::kExpert && worker.info.ready &&
         SameNumerics(worker.info.numerics, numerics_) &&
         worker.info.resident.Has(layer, expert);
}

std::vector<LinkId> ExpertDirectory::Holders(int layer, int expert) const {
  std::vector<LinkId> holders;
  for (const auto& [id, worker] : workers_) {
    if (Holds(worker, layer, expert)) holders.push_back(id);
  }
  const auto rank = [this](LinkId id) {
    const Worker& worker = workers_.at(id);
    return std::tuple(!worker.stays(), worker.info.queued_rows,
                      worker.info.running_sequences, worker.info.name,
                      worker.info.instance, id);
  };
  std::sort(holders.begin(), holders.end(),
            [&rank](LinkId a, LinkId b) { return rank(a) < rank(b); });
  return holders;
}

bool ExpertDirectory::Stays(int layer, int expert) const {
  return std::any_of(workers_.begin(), workers_.end(), [&](const auto& entry) {
    return entry.second.stays() && Holds(entry.second, layer, expert);
  });
}

}  // namespace apollo

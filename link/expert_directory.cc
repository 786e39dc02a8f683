#include "link/expert_directory.h"

#include <algorithm>
#include <tuple>

namespace apollo {

bool ExpertDirectory::Update(LinkId id, const WorkerInfo& info) {
  const auto [it, added] = workers_.try_emplace(id);
  Worker& worker = it->second;
  if (!added && info.revision <= worker.info.revision) return false;
  worker.info = info;
  worker.assigned.clear();
  worker.sum = {};
  // Without experts there is nothing more to reach.
  worker.reaches_all = info.role == WorkerRole::kExpert && info.ready;
  for (int layer = shape_.first_layer; layer < shape_.end_layer; ++layer) {
    for (int expert = 0; expert < shape_.num_experts; ++expert) {
      worker.reaches_all &= Reaches(info, layer, expert);
    }
  }
  return true;
}

void ExpertDirectory::SetLeaving(LinkId id, bool leaving) {
  const auto it = workers_.find(id);
  if (it != workers_.end()) it->second.leaving = leaving;
}

void ExpertDirectory::Assign(LinkId id, std::uint64_t key, const Work& work) {
  const auto it = workers_.find(id);
  if (it == workers_.end()) return;
  Withdraw(id, key);
  it->second.assigned[key] = work;
  it->second.sum.sequences += work.sequences;
  it->second.sum.rows += work.rows;
}

void ExpertDirectory::Withdraw(LinkId id, std::uint64_t key) {
  const auto it = workers_.find(id);
  if (it == workers_.end()) return;
  const auto work = it->second.assigned.extract(key);
  if (work.empty()) return;
  it->second.sum.sequences -= work.mapped().sequences;
  it->second.sum.rows -= work.mapped().rows;
}

std::int64_t ExpertDirectory::Load(LinkId id, int sequences) const {
  const WorkerInfo& info = workers_.at(id).info;
  Work assigned;
  // Two processes may be joined by two links, as each has dialled the other.
  for (const auto& [other, worker] : workers_) {
    if (worker.info.name != info.name ||
        worker.info.instance != info.instance) {
      continue;
    }
    assigned.sequences += worker.sum.sequences;
    assigned.rows += worker.sum.rows;
  }
  // Work that was assigned just before a report may be missing from both.
  const int running =
      std::max(info.running_sequences + assigned.sequences, sequences);
  return info.queued_rows + assigned.rows + running;
}

bool ExpertDirectory::Holds(const Worker& worker, int layer, int expert,
                            const std::string& numerics) const {
  return worker.info.role == WorkerRole::kExpert && worker.info.ready &&
         SameNumerics(worker.info.numerics, numerics) &&
         worker.info.resident.Has(layer, expert);
}

std::vector<LinkId> ExpertDirectory::Holders(
    int layer, int expert, const std::string& numerics) const {
  std::vector<LinkId> holders;
  for (const auto& [id, worker] : workers_) {
    if (Holds(worker, layer, expert, numerics)) holders.push_back(id);
  }
  const auto rank = [this](LinkId id) {
    const Worker& worker = workers_.at(id);
    return std::tuple(!worker.stays(), Load(id), worker.info.name,
                      worker.info.instance, id);
  };
  std::sort(holders.begin(), holders.end(),
            [&rank](LinkId a, LinkId b) { return rank(a) < rank(b); });
  return holders;
}

bool ExpertDirectory::Stays(int layer, int expert,
                            const std::string& numerics) const {
  return std::any_of(workers_.begin(), workers_.end(), [&](const auto& entry) {
    return entry.second.stays() && Holds(entry.second, layer, expert, numerics);
  });
}

int ExpertDirectory::ResidentLayers(LinkId id, int expert) const {
  const WorkerInfo& info = workers_.at(id).info;
  int layers = 0;
  for (int layer = shape_.first_layer; layer < shape_.end_layer; ++layer) {
    layers += info.resident.Has(layer, expert);
  }
  return layers;
}

bool ExpertDirectory::TakesSequences(LinkId id) const {
  const Worker& worker = workers_.at(id);
  return worker.stays() && worker.reaches_all;
}

bool ExpertDirectory::Reaches(const WorkerInfo& info, int layer, int expert) {
  return info.role == WorkerRole::kExpert && info.ready &&
         info.reaches.Has(layer, expert);
}

std::optional<LayerExpert> ExpertDirectory::FirstMissing(
    std::span<const LinkId> workers) const {
  for (int layer = shape_.first_layer; layer < shape_.end_layer; ++layer) {
    for (int expert = 0; expert < shape_.num_experts; ++expert) {
      const bool reached =
          std::any_of(workers.begin(), workers.end(), [&](LinkId id) {
            const Worker& worker = workers_.at(id);
            return worker.stays() && Reaches(worker.info, layer, expert);
          });
      if (!reached) return LayerExpert{layer, expert};
    }
  }
  return std::nullopt;
}

}  // namespace apollo

#include "link/expert_directory.h"

#include <algorithm>
#include <compare>

#include "common/rendezvous.h"

namespace apollo {

bool ExpertDirectory::Update(LinkId id, const WorkerInfo& info) {
  const auto [it, added] = workers_.try_emplace(id);
  Worker& worker = it->second;
  if (!added) {
    if (info.revision <= worker.info.revision) return false;
    Leave(worker);
  }
  worker.info = info;
  Enter(worker);
  // Without experts there is nothing more to reach.
  worker.reaches_all = info.role == WorkerRole::kExpert && info.ready;
  for (int layer = shape_.first_layer; layer < shape_.end_layer; ++layer) {
    for (int expert = 0; expert < shape_.num_experts; ++expert) {
      worker.reaches_all &= Reaches(info, layer, expert);
    }
  }
  return true;
}

void ExpertDirectory::Remove(LinkId id) {
  const auto it = workers_.find(id);
  if (it == workers_.end()) return;
  Leave(it->second);
  workers_.erase(it);
}

void ExpertDirectory::Enter(Worker& worker) {
  worker.process = &processes_[KeyOf(worker.info)];
  ++worker.process->links;
}

void ExpertDirectory::Leave(Worker& worker) {
  while (!worker.assigned.empty()) {
    Forget(worker, worker.assigned.begin()->first);
  }
  if (--worker.process->links == 0) processes_.erase(KeyOf(worker.info));
  worker.process = nullptr;
}

void ExpertDirectory::SetLeaving(LinkId id, bool leaving) {
  const auto it = workers_.find(id);
  if (it != workers_.end()) it->second.leaving = leaving;
}

void ExpertDirectory::Assign(LinkId id, std::uint64_t key, const Work& work) {
  const auto it = workers_.find(id);
  if (it == workers_.end()) return;
  Worker& worker = it->second;
  Forget(worker, key);
  worker.assigned[key] = work;
  worker.process->assigned.sequences += work.sequences;
  worker.process->assigned.rows += work.rows;
}

void ExpertDirectory::Withdraw(LinkId id, std::uint64_t key) {
  const auto it = workers_.find(id);
  if (it != workers_.end()) Forget(it->second, key);
}

void ExpertDirectory::Forget(Worker& worker, std::uint64_t key) {
  const auto work = worker.assigned.extract(key);
  if (work.empty()) return;
  worker.process->assigned.sequences -= work.mapped().sequences;
  worker.process->assigned.rows -= work.mapped().rows;
}

std::int64_t ExpertDirectory::Load(LinkId id, int sequences) const {
  const Worker& worker = workers_.at(id);
  const Work& assigned = worker.process->assigned;
  // Work that was assigned just before a report may be missing from both.
  const int running =
      std::max(worker.info.running_sequences + assigned.sequences, sequences);
  return worker.info.queued_rows + assigned.rows + running;
}

bool ExpertDirectory::Holds(const Worker& worker, int layer, int expert,
                            const std::string& numerics) const {
  return worker.info.role == WorkerRole::kExpert && worker.info.ready &&
         SameNumerics(worker.info.numerics, numerics) &&
         worker.info.resident.Has(layer, expert);
}

std::vector<LinkId> ExpertDirectory::Holders(int layer, int expert,
                                             const std::string& numerics,
                                             std::uint64_t key) const {
  struct Holder {
    bool goes;
    std::int64_t load;
    std::uint64_t last_score;  // The highest comes first.
    LinkId id;
    auto operator<=>(const Holder&) const = default;
  };
  std::vector<Holder> holders;
  for (const auto& [id, worker] : workers_) {
    if (!Holds(worker, layer, expert, numerics)) continue;
    holders.push_back({!worker.stays(), Load(id),
                       ~RendezvousScore(worker.info.name, key), id});
  }
  std::sort(holders.begin(), holders.end());
  std::vector<LinkId> ids;
  for (const Holder& holder : holders) ids.push_back(holder.id);
  return ids;
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

#include "dense_worker/expert_workers.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace apollo {
namespace {

// FNV-1a over the name, mixed with the key: the same in every process, so that
// dense workers agree without talking.
std::uint64_t Score(const std::string& name, std::uint64_t key) {
  std::uint64_t hash = 0xcbf29ce484222325u ^ key;
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  hash ^= hash >> 32;
  return hash * 0x9e3779b97f4a7c15u;
}

}  // namespace

void ExpertWorkers::Add(LinkId id, const WorkerInfo& worker,
                        std::shared_ptr<Link> link) {
  workers_[id] = {worker, std::move(link)};
}

void ExpertWorkers::Remove(LinkId id) { workers_.erase(id); }

void ExpertWorkers::Send(LinkId id, Frame frame) const {
  const auto it = workers_.find(id);
  if (it != workers_.end()) it->second.link->Send(std::move(frame));
}

void ExpertWorkers::Close(LinkId id) const {
  const auto it = workers_.find(id);
  if (it != workers_.end()) it->second.link->Close();
}

void ExpertWorkers::SetSilent(LinkId id, bool silent) {
  const auto it = workers_.find(id);
  if (it != workers_.end()) it->second.silent = silent;
}

void ExpertWorkers::SetLeaving(LinkId id, bool leaving) {
  const auto it = workers_.find(id);
  if (it != workers_.end()) it->second.leaving = leaving;
}

void ExpertWorkers::Update(LinkId id, const WorkerInfo& info) {
  WorkerInfo& known = workers_.at(id).info;
  if (info.revision > known.revision) known = info;
}

bool ExpertWorkers::IsSilent(LinkId id) const {
  const auto it = workers_.find(id);
  return it != workers_.end() && it->second.silent;
}

bool ExpertWorkers::IsBusy(LinkId id) const {
  const auto it = workers_.find(id);
  return it != workers_.end() && it->second.busy();
}

std::vector<LinkId> ExpertWorkers::FindFull() {
  std::vector<LinkId> full;
  for (auto& [id, worker] : workers_) {
    if (worker.full || worker.link->HasRoom()) continue;
    worker.full = true;
    full.push_back(id);
  }
  return full;
}

void ExpertWorkers::SetWritable(LinkId id) {
  const auto it = workers_.find(id);
  if (it != workers_.end()) it->second.full = false;
}

bool ExpertWorkers::HasLeft(LinkId id) const {
  const auto it = workers_.find(id);
  return it != workers_.end() && it->second.leaving &&
         it->second.sequences == 0;
}

absl::StatusOr<LinkId> ExpertWorkers::Choose(int family, std::uint64_t key,
                                             std::int64_t tokens,
                                             const std::string& numerics) {
  std::int64_t most = 0;
  bool out_of_reach = workers_.empty();  // A worker that is large enough.
  int missing = 0;                       // An expert that it does not reach.
  std::string other_numerics;            // Of one that would do otherwise.
  Worker* best = nullptr;
  LinkId best_id = 0;
  const auto order = [&](const Worker& worker) {  // The largest is the best.
    const bool resident =
        family >= 0 && worker.info.resident.everywhere.contains(family);
    return std::tuple(!worker.busy(), resident, -worker.sequences,
                      Score(worker.info.name, key));
  };
  for (auto& [id, worker] : workers_) {
    const std::int64_t holds = worker.info.cache_tokens;
    if (holds > 0 && holds < tokens) {
      most = std::max(most, holds);
    } else if (!Takes(worker)) {
      out_of_reach = true;
      missing = std::max(missing, FirstMissing(worker));
    } else if (!SameNumerics(worker.info.numerics, numerics)) {
      other_numerics = worker.info.numerics;
    } else if (best == nullptr || order(worker) > order(*best)) {
      best = &worker;
      best_id = id;
    }
  }
  if (best != nullptr) {
    ++best->sequences;
    return best_id;
  }
  if (!other_numerics.empty()) {
    return absl::UnavailableError(absl::StrCat(
        "the sequence runs with numerics ", numerics,
        ", but the expert workers that are left have ", other_numerics,
        ", which would give other tokens; try again"));
  }
  if (out_of_reach) {
    return absl::UnavailableError(absl::StrCat(
        "no live expert worker reaches expert ", missing, "; try again"));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("prompt and answer together may take ", tokens,
                   " tokens, but the cache of the expert workers holds ", most,
                   "; ask for fewer: trying again cannot help"));
}

std::int64_t ExpertWorkers::MostTokens() const {
  std::int64_t most = 0;
  for (const auto& [id, worker] : workers_) {
    if (!Takes(worker)) continue;
    if (worker.info.cache_tokens <= 0) return 0;
    most = std::max<std::int64_t>(most, worker.info.cache_tokens);
  }
  return most;
}

void ExpertWorkers::Release(LinkId id) {
  const auto it = workers_.find(id);
  if (it != workers_.end()) --it->second.sequences;
}

int ExpertWorkers::FirstMissing(const Worker& worker) const {
  for (int e = 0; e < num_experts_; ++e) {
    if (!worker.info.ready || !worker.info.reaches.everywhere.contains(e)) {
      return e;
    }
  }
  return -1;
}

bool ExpertWorkers::Covers() const {
  return std::any_of(workers_.begin(), workers_.end(),
                     [this](const auto& w) { return Takes(w.second); });
}

}  // namespace apollo

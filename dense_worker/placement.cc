#include "dense_worker/placement.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
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

void Placement::Add(LinkId id, const Hello& worker) { workers_[id] = {worker}; }

void Placement::Remove(LinkId id) { workers_.erase(id); }

void Placement::SetReach(LinkId id, std::set<int> experts) {
  workers_.at(id).reach = std::move(experts);
}

void Placement::SetSilent(LinkId id, bool silent) {
  const auto it = workers_.find(id);
  if (it != workers_.end()) it->second.silent = silent;
}

void Placement::SetLeaving(LinkId id, bool leaving) {
  const auto it = workers_.find(id);
  if (it != workers_.end()) it->second.leaving = leaving;
}

std::vector<LinkId> Placement::Left() const {
  std::vector<LinkId> left;
  for (const auto& [id, worker] : workers_) {
    if (worker.leaving && worker.sequences == 0) left.push_back(id);
  }
  return left;
}

absl::StatusOr<LinkId> Placement::Choose(int family, std::uint64_t key,
                                         std::int64_t tokens) {
  std::int64_t most = 0;
  bool out_of_reach = false;  // A worker that is large enough.
  Worker* best = nullptr;
  LinkId best_id = 0;
  bool best_resident = false;
  std::uint64_t best_score = 0;
  for (auto& [id, worker] : workers_) {
    if (worker.leaving) continue;
    const std::int64_t holds = worker.hello.cache_tokens;
    if (holds > 0 && holds < tokens) {
      most = std::max(most, holds);
      continue;
    }
    if (FirstMissing(worker) >= 0) {
      out_of_reach = true;
      continue;
    }
    const bool resident = family >= 0 && worker.hello.experts.contains(family);
    const std::uint64_t score = Score(worker.hello.name, key);
    const bool better =
        best == nullptr || (worker.silent != best->silent ? best->silent
                            : resident != best_resident   ? resident
                            : worker.sequences != best->sequences
                                ? worker.sequences < best->sequences
                                : score > best_score);
    if (better) {
      best = &worker;
      best_id = id;
      best_resident = resident;
      best_score = score;
    }
  }
  if (best == nullptr && most > 0 && !out_of_reach) {
    return absl::FailedPreconditionError(
        absl::StrCat("prompt and answer together may take ", tokens,
                     " tokens, but the cache of the expert workers holds ",
                     most, "; ask for fewer: trying again cannot help"));
  }
  if (best == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("no live expert worker reaches expert ", FirstMissing(),
                     "; try again"));
  }
  ++best->sequences;
  return best_id;
}

std::int64_t Placement::MostTokens() const {
  std::int64_t most = 0;
  for (const auto& [id, worker] : workers_) {
    if (!Takes(worker)) continue;
    if (worker.hello.cache_tokens <= 0) return 0;
    most = std::max<std::int64_t>(most, worker.hello.cache_tokens);
  }
  return most;
}

void Placement::Release(LinkId id) {
  const auto it = workers_.find(id);
  if (it != workers_.end()) --it->second.sequences;
}

int Placement::FirstMissing(const Worker& worker) const {
  for (int e = 0; e < num_experts_; ++e) {
    if (!worker.reach.contains(e)) return e;
  }
  return -1;
}

int Placement::FirstMissing() const {
  int missing = 0;
  for (const auto& [id, worker] : workers_) {
    if (worker.leaving) continue;
    const int first = FirstMissing(worker);
    if (first < 0) return -1;
    missing = std::max(missing, first);
  }
  return missing;
}

}  // namespace apollo

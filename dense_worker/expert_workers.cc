#include "dense_worker/expert_workers.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "common/rendezvous.h"

namespace apollo {

void ExpertWorkers::Add(LinkId id, const WorkerInfo& worker,
                        std::shared_ptr<Link> link) {
  directory_.Update(id, worker);
  workers_[id] = {std::move(link)};
  BoundHeld(id);
}

void ExpertWorkers::BoundHeld(LinkId id) {
  const std::int64_t tokens = info(id).cache_tokens;
  if (tokens > 0) workers_.at(id).held.SetMost(tokens / kHashedTokens);
}

int ExpertWorkers::Held(LinkId id, std::span<const BlockHash> hashes) const {
  return KeepsPrefixes(id) ? workers_.at(id).held.Count(hashes) : 0;
}

void ExpertWorkers::NoteHeld(LinkId id, std::span<const BlockHash> hashes) {
  if (KeepsPrefixes(id)) workers_.at(id).held.Add(hashes);
}

void ExpertWorkers::NoteMissing(LinkId id, std::span<const BlockHash> hashes) {
  const auto it = workers_.find(id);
  if (it != workers_.end()) it->second.held.Remove(hashes);
}

bool ExpertWorkers::KeepsPrefixes(LinkId id) const {
  return workers_.contains(id) && info(id).keeps_prefixes;
}

bool ExpertWorkers::AnyKeepsPrefixes() const {
  return std::any_of(workers_.begin(), workers_.end(),
                     [this](const auto& w) { return KeepsPrefixes(w.first); });
}

void ExpertWorkers::Remove(LinkId id) {
  directory_.Remove(id);
  workers_.erase(id);
}

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
  directory_.SetLeaving(id, leaving);
}

void ExpertWorkers::Update(LinkId id, const WorkerInfo& info) {
  directory_.Update(id, info);
  BoundHeld(id);
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

std::vector<LinkId> ExpertWorkers::SetBehind(const std::set<LinkId>& behind) {
  std::vector<LinkId> changed;
  for (auto& [id, worker] : workers_) {
    if (worker.behind == behind.contains(id)) continue;
    worker.behind = !worker.behind;
    changed.push_back(id);
  }
  return changed;
}

void ExpertWorkers::SetWritable(LinkId id) {
  const auto it = workers_.find(id);
  if (it != workers_.end()) it->second.full = false;
}

bool ExpertWorkers::HasLeft(LinkId id) const {
  const auto it = workers_.find(id);
  return it != workers_.end() && directory_.leaving(id) &&
         it->second.sequences == 0;
}

PinningCandidate ExpertWorkers::Describe(LinkId id,
                                         const Wanted& wanted) const {
  const Worker& worker = workers_.at(id);
  return {.busy = worker.busy(),
          .resident_layers = wanted.family < 0
                                 ? 0
                                 : directory_.ResidentLayers(id, wanted.family),
          .load = directory_.Load(id, worker.sequences),
          .held = std::int64_t{kHashedTokens} * Held(id, wanted.blocks),
          .sequences = worker.sequences,
          .tie_break = RendezvousScore(name(id), wanted.key)};
}

absl::StatusOr<LinkId> ExpertWorkers::Choose(const Wanted& wanted) {
  std::int64_t most = 0;  // The largest cache that is too small.
  std::vector<LinkId> large_enough;
  // The numerics id of a worker that is suitable otherwise.
  std::optional<std::string> other_numerics;
  bool outdated = false;  // Such a worker does not know the options.
  std::vector<LinkId> suitable;
  std::vector<PinningCandidate> candidates;  // The same workers.
  for (const auto& [id, worker] : workers_) {
    if (id == wanted.except) continue;
    const WorkerInfo& said = info(id);
    if (said.cache_tokens > 0 && said.cache_tokens < wanted.tokens) {
      most = std::max(most, said.cache_tokens);
      continue;
    }
    large_enough.push_back(id);
    if (!Takes(id)) continue;
    if (wanted.new_options && said.sequence_options < 1) {
      outdated = true;
      continue;
    }
    if (wanted.numerics && !SameNumerics(said.numerics, *wanted.numerics)) {
      other_numerics = said.numerics;
      continue;
    }
    suitable.push_back(id);
    candidates.push_back(Describe(id, wanted));
  }
  if (const auto best =
          ChoosePinned(pinning_, wanted.family >= 0 && directory_.experts() > 0,
                       candidates, wanted.rows)) {
    const LinkId id = suitable[*best];
    ++workers_.at(id).sequences;
    directory_.Assign(id, wanted.key,
                      {1, wanted.rows - candidates[*best].held});
    return id;
  }
  if (!suitable.empty()) {
    return absl::UnavailableError(absl::StrCat(
        "none of the ", suitable.size(),
        " expert workers that take sequences has expert ", wanted.family,
        " of the language's family in memory, and --pinning=strict allows no "
        "other; try again"));
  }
  if (other_numerics) {
    return absl::UnavailableError(absl::StrCat(
        "the sequence runs with numerics ",
        wanted.numerics->empty() ? "that its worker did not report"
                                 : *wanted.numerics,
        ", but the remaining expert workers have ",
        other_numerics->empty() ? "unreported ones" : *other_numerics,
        ", which may give other tokens; try again"));
  }
  if (outdated) {
    return absl::UnavailableError(
        "the live expert workers are of an older version, which does not know "
        "sampling.min_p, sampling.logit_bias and prompt_logprobs; try again");
  }
  if (!large_enough.empty() || workers_.empty()) {
    return OutOfReach(large_enough);
  }
  return absl::FailedPreconditionError(
      absl::StrCat("prompt and answer together may take ", wanted.tokens,
                   " tokens, but the cache of the expert workers holds ", most,
                   "; request fewer tokens: a retry would fail too"));
}

absl::Status ExpertWorkers::OutOfReach(
    const std::vector<LinkId>& large_enough) const {
  if (const auto missing = directory_.FirstMissing(large_enough)) {
    return absl::UnavailableError(
        absl::StrCat("no live expert worker reaches expert ", missing->expert,
                     " of layer ", missing->layer, "; try again"));
  }
  if (directory_.experts() == 0) {
    return absl::UnavailableError(
        "no expert worker is ready for new sequences; try again");
  }
  // Every expert is reached by some worker, but no worker reaches all.
  LayerExpert furthest;
  std::string who;
  for (const LinkId id : large_enough) {
    const LinkId alone[] = {id};
    const auto missing = directory_.FirstMissing(alone);
    if (missing && (who.empty() || *missing > furthest)) {
      furthest = *missing;
      who = name(id);
    }
  }
  return absl::UnavailableError(
      absl::StrCat("no live expert worker reaches all experts, itself or "
                   "through its peers: ",
                   "\"", who, "\" lacks expert ", furthest.expert, " of layer ",
                   furthest.layer, "; try again"));
}

std::int64_t ExpertWorkers::MostTokens() const {
  std::int64_t most = 0;
  for (const auto& [id, worker] : workers_) {
    if (!Takes(id)) continue;
    if (info(id).cache_tokens <= 0) return 0;
    most = std::max(most, info(id).cache_tokens);
  }
  return most;
}

void ExpertWorkers::Release(LinkId id, std::uint64_t key) {
  const auto it = workers_.find(id);
  if (it == workers_.end()) return;
  --it->second.sequences;
  directory_.Withdraw(id, key);
}

bool ExpertWorkers::Covers() const {
  return std::any_of(workers_.begin(), workers_.end(),
                     [this](const auto& w) { return Takes(w.first); });
}

int ExpertWorkers::ready() const {
  return static_cast<int>(
      std::count_if(workers_.begin(), workers_.end(),
                    [this](const auto& w) { return Takes(w.first); }));
}

}  // namespace apollo

#include "engine/scheduler.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "common/check.h"
#include "engine/kv_cache.h"

namespace apollo {

Scheduler::Scheduler(const Options& options, BlockPool& pool)
    : options_(options), pool_(pool) {
  APOLLO_CHECK(options.token_budget >= 1 && options.max_running >= 1);
}

absl::Status Scheduler::CheckFits(std::int64_t max_tokens) const {
  if (BlocksFor(max_tokens) <= pool_.total()) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "prompt and answer together may take ", max_tokens,
      " tokens, but the cache holds ",
      static_cast<std::int64_t>(pool_.total()) * kBlockTokens));
}

void Scheduler::Add(SequenceId id, int prompt_tokens, int max_tokens) {
  APOLLO_CHECK(prompt_tokens >= 1 && max_tokens >= prompt_tokens);
  APOLLO_CHECK(BlocksFor(max_tokens) <= pool_.total());
  const bool added =
      sequences_.insert({id, {prompt_tokens, max_tokens, 0, {}}}).second;
  APOLLO_CHECK(added);
  waiting_.push_back(id);
  Admit();
}

void Scheduler::Admit() {
  while (!waiting_.empty() && running() < options_.max_running) {
    Sequence& sequence = sequences_.at(waiting_.front());
    if (!pool_.Extend(sequence.blocks, BlocksFor(sequence.max_tokens))) return;
    prefilling_.push_back(waiting_.front());
    waiting_.pop_front();
  }
}

bool Scheduler::HasWork() const {
  return !ready_.empty() || !prefilling_.empty();
}

std::vector<Scheduler::Slice> Scheduler::NextStep() {
  std::vector<Slice> step;
  int budget = options_.token_budget;
  while (!ready_.empty() && budget > 0) {
    const SequenceId id = ready_.front();
    ready_.pop_front();
    Sequence& sequence = sequences_.at(id);
    step.push_back({id, sequence.next_position, 1, true});
    ++sequence.next_position;
    --budget;
  }
  while (!prefilling_.empty() && budget > 0) {
    const SequenceId id = prefilling_.front();
    Sequence& sequence = sequences_.at(id);
    const int left = sequence.prompt_tokens - sequence.next_position;
    const int rows = std::min(left, budget);
    step.push_back({id, sequence.next_position, rows, rows == left});
    sequence.next_position += rows;
    budget -= rows;
    if (rows == left) prefilling_.pop_front();
  }
  return step;
}

void Scheduler::TokenArrived(SequenceId id) {
  const auto it = sequences_.find(id);
  APOLLO_CHECK(it != sequences_.end());
  APOLLO_CHECK(it->second.next_position >= it->second.prompt_tokens);
  APOLLO_CHECK(it->second.next_position < it->second.max_tokens);
  ready_.push_back(id);
}

void Scheduler::Remove(SequenceId id) {
  const auto it = sequences_.find(id);
  if (it == sequences_.end()) return;
  pool_.Release(it->second.blocks);
  sequences_.erase(it);
  std::erase(waiting_, id);
  std::erase(prefilling_, id);
  std::erase(ready_, id);
  Admit();
}

const BlockTable& Scheduler::blocks(SequenceId id) const {
  return sequences_.at(id).blocks;
}

}  // namespace apollo

#include "engine/scheduler.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/check.h"
#include "engine/cache_size.h"
#include "engine/prompt_shares.h"

namespace apollo {

Scheduler::Scheduler(const Options& options, BlockPool& pool,
                     FindCached find_cached)
    : options_(options), pool_(pool), find_cached_(std::move(find_cached)) {
  APOLLO_CHECK(options.token_budget >= 1 && options.max_running >= 1);
  APOLLO_CHECK(options.mixed_token_budget >= 1);
  APOLLO_CHECK(options.overcommit == 0 || options.overcommit >= 1);
}

std::int64_t Scheduler::capacity() const {
  return static_cast<std::int64_t>(pool_.total()) * kBlockTokens;
}

absl::Status Scheduler::CheckFits(std::int64_t max_tokens) const {
  if (BlocksFor(max_tokens) <= pool_.total()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("prompt and answer together may take ", max_tokens,
                   " tokens, but the cache holds ", capacity(),
                   "; request fewer tokens: a retry would fail too"));
}

void Scheduler::Add(SequenceId id, int tokens, int max_tokens, int priority) {
  APOLLO_CHECK(tokens >= 1 && max_tokens >= tokens);
  APOLLO_CHECK(BlocksFor(max_tokens) <= pool_.total());
  const auto [it, added] = sequences_.try_emplace(id);
  APOLLO_CHECK(added);
  Sequence& sequence = it->second;
  sequence.rank = {-priority, ++added_, id};
  sequence.tokens = sequence.first_tokens = tokens;
  sequence.max_tokens = max_tokens;
  Enqueue(sequence);
}

void Scheduler::Enqueue(const Sequence& sequence) {
  if (sequence.paused) return;
  switch (sequence.state) {
    case State::kWaiting:
      waiting_.insert(sequence.rank);
      stuck_ = false;
      break;
    case State::kReplaying:
      replaying_.insert(sequence.rank);
      break;
    case State::kPrefilling:
      prefilling_.insert(sequence.rank);
      break;
    case State::kReady:
      ready_.insert(sequence.turn);
      break;
    case State::kHeld:
    case State::kPending:
      break;
  }
}

void Scheduler::Dequeue(const Sequence& sequence) {
  waiting_.erase(sequence.rank);
  replaying_.erase(sequence.rank);
  prefilling_.erase(sequence.rank);
  if (sequence.state == State::kReady) ready_.erase(sequence.turn);
}

void Scheduler::SetPaused(SequenceId id, bool paused) {
  Sequence& sequence = sequences_.at(id);
  Dequeue(sequence);
  sequence.paused = paused;
  Enqueue(sequence);
  // Sequences behind it need not wait any more.
  stuck_ = false;
}

bool Scheduler::HasWork(const ReplayRooms& rooms) const {
  if (!ready_.empty() || !prefilling_.empty()) return true;
  if (!waiting_.empty() && !stuck_) return true;
  return std::any_of(replaying_.begin(), replaying_.end(),
                     [&rooms](const Rank& rank) {
                       return rooms == nullptr || rooms(rank.id).rows > 0;
                     });
}

std::int64_t Scheduler::waiting_tokens() const {
  std::int64_t tokens = 0;
  for (const auto& [id, sequence] : sequences_) {
    if (!IsRunning(sequence)) tokens += sequence.tokens;
  }
  return tokens;
}

std::int64_t Scheduler::queued_rows() const {
  std::int64_t rows = 0;
  for (const auto& [id, sequence] : sequences_) {
    rows += std::max(
        0, sequence.tokens - std::max(sequence.next_position, sequence.cached));
  }
  return rows;
}

void Scheduler::Stop(Sequence& sequence, State state) {
  pool_.Release(sequence.blocks);
  running_.erase(sequence.rank);
  Dequeue(sequence);
  sequence.state = state;
  sequence.next_position = 0;
  sequence.cached = 0;
  Enqueue(sequence);
  stuck_ = false;
}

void Scheduler::Evict(const Rank& rank, Step& step, int& budget) {
  const SequenceId id = rank.id;
  Stop(sequences_.at(id), State::kWaiting);
  step.preempted.push_back(id);
  const auto slice =
      std::find_if(step.slices.begin(), step.slices.end(),
                   [id](const Slice& s) { return s.sequence == id; });
  if (slice == step.slices.end()) return;
  budget += slice->rows;
  step.slices.erase(slice);
}

bool Scheduler::Grow(Sequence& sequence, Step& step, int& budget) {
  const int wanted = BlocksFor(sequence.next_position + 1);
  while (!pool_.Extend(sequence.blocks, wanted)) {
    const Rank worst = *running_.rbegin();
    Evict(worst, step, budget);
    if (worst == sequence.rank) return false;
  }
  return true;
}

int Scheduler::Spare(bool others) const {
  return others ? pool_.total() / 100 : 0;
}

int Scheduler::Growth(const Sequence& sequence) const {
  const int expected = std::min(sequence.max_tokens - sequence.first_tokens,
                                answers_.Expected());
  const int present = std::max(static_cast<int>(sequence.blocks.size()),
                               BlocksFor(sequence.tokens));
  return std::max(0, BlocksFor(sequence.first_tokens + expected) - present);
}

bool Scheduler::CanGrow(const Sequence& candidate, bool beside_all,
                        int free) const {
  if (free < 0) return false;
  if (options_.overcommit == 0) return true;
  double left = free + (options_.overcommit - 1) * pool_.total();
  left -= Growth(candidate);
  for (const Rank& rank : running_) {
    if (!beside_all && rank.lowness > candidate.rank.lowness) break;
    const Sequence& other = sequences_.at(rank.id);
    if (!other.paused) left -= Growth(other);
  }
  return left >= 0;
}

bool Scheduler::FitsNow(const Sequence& sequence, int blocks,
                        const BlockTable& cached) const {
  if (running() >= options_.max_running) return false;
  // Shared idle blocks become unavailable once they are used.
  const int shared = static_cast<int>(std::count_if(
      cached.begin(), cached.end(),
      [this](BlockId block) { return pool_.references(block) > 0; }));
  return CanGrow(sequence, /*beside_all=*/true,
                 pool_.available() - blocks + shared - Spare(running() > 0));
}

bool Scheduler::FitsWithoutLower(const Sequence& sequence, int blocks,
                                 const BlockTable& cached) const {
  std::map<BlockId, int> given;  // References that the victims would release.
  int victims = 0;
  for (auto it = running_.rbegin();
       it != running_.rend() && it->lowness > sequence.rank.lowness;
       ++it, ++victims) {
    for (const BlockId block : sequences_.at(it->id).blocks) ++given[block];
  }
  if (victims == 0) return false;
  int available = pool_.available();
  for (const auto& [block, references] : given) {
    available += references == pool_.references(block);
  }
  const int shared = static_cast<int>(
      std::count_if(cached.begin(), cached.end(), [&](BlockId block) {
        const auto it = given.find(block);
        return pool_.references(block) > (it != given.end() ? it->second : 0);
      }));
  return CanGrow(sequence, /*beside_all=*/false,
                 available - blocks + shared - Spare(victims < running()));
}

bool Scheduler::Admit(Sequence& sequence, Step& step, int& budget) {
  const BlockTable cached =
      find_cached_ ? find_cached_(sequence.rank.id) : BlockTable();
  const int blocks = BlocksFor(sequence.tokens);
  APOLLO_CHECK(static_cast<int>(cached.size()) * kBlockTokens <=
               sequence.tokens);
  if (!FitsNow(sequence, blocks, cached)) {
    // Preempts only if that frees enough blocks.
    if (!FitsWithoutLower(sequence, blocks, cached)) return false;
    do {
      Evict(*running_.rbegin(), step, budget);
    } while (!FitsNow(sequence, blocks, cached));
  }
  for (const BlockId block : cached) pool_.AddReference(block);
  sequence.blocks = cached;
  APOLLO_CHECK(pool_.Extend(sequence.blocks, blocks));
  sequence.cached = static_cast<int>(cached.size()) * kBlockTokens;
  sequence.state = State::kPrefilling;
  waiting_.erase(sequence.rank);
  running_.insert(sequence.rank);
  prefilling_.insert(sequence.rank);
  step.admitted.push_back({sequence.rank.id, sequence.cached});
  return true;
}

void Scheduler::TakeChunk(Sequence& sequence, Step& step, int rows) {
  const int left = sequence.tokens - sequence.next_position;
  const int cached =
      std::clamp(sequence.cached - sequence.next_position, 0, rows);
  step.slices.push_back(
      {sequence.rank.id, sequence.next_position, rows, cached, rows == left});
  sequence.next_position += rows;
  if (rows < left) return;
  prefilling_.erase(sequence.rank);
  sequence.state = State::kPending;
}

bool Scheduler::IsMixed() const {
  // Sequences past their prompt are ready or pending.
  const std::size_t generating = running_.size() - prefilling_.size();
  const std::size_t room = options_.max_running - running_.size();
  const std::size_t beginning =
      prefilling_.size() + (stuck_ ? 0 : std::min(waiting_.size(), room));
  return generating > 0 && generating >= 4 * beginning;
}

Scheduler::Step Scheduler::NextStep(const ReplayRooms& rooms) {
  Step step;
  int budget = options_.token_budget;
  while (!ready_.empty() && budget > 0) {
    Sequence& sequence = sequences_.at(ready_.begin()->id);
    if (!Grow(sequence, step, budget)) continue;
    ready_.erase(sequence.turn);
    sequence.state = State::kPending;
    step.slices.push_back(
        {sequence.rank.id, sequence.next_position, 1, 0, true});
    ++sequence.next_position;
    --budget;
  }
  const std::vector<SequenceId> through = TakeReplays(step, budget, rooms);
  if (IsMixed()) {
    budget = std::min(budget, options_.mixed_token_budget);
  }
  TakePrompts(step, budget);
  for (const SequenceId id : through) Enqueue(sequences_.at(id));
  return step;
}

std::vector<SequenceId> Scheduler::TakeReplays(Step& step, int& budget,
                                               const ReplayRooms& rooms) {
  std::vector<SequenceId> through;
  std::map<std::uint64_t, int> taken_by;  // By group.
  for (auto it = replaying_.begin(); it != replaying_.end() && budget > 0;) {
    Sequence& sequence = sequences_.at((it++)->id);
    const ReplayRoom room = rooms ? rooms(sequence.rank.id) : ReplayRoom();
    int& group = taken_by[room.group];
    const int taken = std::min(
        {budget, room.rows - group, sequence.cached - sequence.next_position});
    if (taken <= 0) continue;
    group += taken;
    const int end = sequence.next_position + taken;
    step.slices.push_back({sequence.rank.id, sequence.next_position, taken,
                           taken, end == sequence.tokens, true});
    sequence.next_position = end;
    budget -= taken;
    if (end < sequence.cached) continue;
    replaying_.erase(sequence.rank);
    if (end == sequence.tokens) {
      sequence.state = State::kPending;
      continue;
    }
    // One that has all but its last token needs no turn among prompts; but it
    // may need another block.
    sequence.state =
        end + 1 == sequence.tokens ? State::kReady : State::kPrefilling;
    sequence.turn = {sequence.rank.lowness, ++turns_, sequence.rank.id};
    through.push_back(sequence.rank.id);
  }
  return through;
}

void Scheduler::TakePrompts(Step& step, int budget) {
  // Admits none after a preemption: it would take back the freed blocks.
  bool admit = step.preempted.empty();
  for (;;) {
    const std::vector<Rank> prompts = Prompts(admit);
    std::vector<PromptLeft> left;
    for (const Rank& rank : prompts) {
      const Sequence& sequence = sequences_.at(rank.id);
      left.push_back({rank.lowness, sequence.tokens - sequence.next_position});
    }
    const std::vector<int> shares =
        SharePromptRows(left, budget, best_gets_odd_row_);
    bool waits = false;  // A waiting sequence has a share.
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      waits |= shares[i] > 0 && waiting_.contains(prompts[i]);
    }
    if (waits) {
      // None may overtake, so the best is admitted even if only those behind it
      // have a share.
      admit = Admit(sequences_.at(waiting_.begin()->id), step, budget);
      stuck_ = !admit;
      continue;
    }
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      if (shares[i] > 0) {
        TakeChunk(sequences_.at(prompts[i].id), step, shares[i]);
      }
    }
    if (budget % 2 != 0) best_gets_odd_row_ = !best_gets_odd_row_;
    return;
  }
}

std::vector<Scheduler::Rank> Scheduler::Prompts(bool with_waiting) const {
  std::vector<Rank> prompts(prefilling_.begin(), prefilling_.end());
  if (!with_waiting) return prompts;
  // More could not be admitted.
  const std::size_t most = options_.max_running;
  const auto end = waiting_.size() > most ? std::next(waiting_.begin(), most)
                                          : waiting_.end();
  const auto middle = prompts.insert(prompts.end(), waiting_.begin(), end);
  std::inplace_merge(prompts.begin(), middle, prompts.end());
  return prompts;
}

void Scheduler::TokenArrived(SequenceId id) {
  const auto it = sequences_.find(id);
  APOLLO_CHECK(it != sequences_.end());
  Sequence& sequence = it->second;
  APOLLO_CHECK(sequence.state == State::kPending);
  APOLLO_CHECK(sequence.tokens < sequence.max_tokens);
  ++sequence.tokens;
  sequence.state = State::kReady;
  sequence.turn = {sequence.rank.lowness, ++turns_, id};
  Enqueue(sequence);
}

void Scheduler::Replay(SequenceId id) {
  const auto it = sequences_.find(id);
  APOLLO_CHECK(it != sequences_.end() && IsRunning(it->second));
  Sequence& sequence = it->second;
  Dequeue(sequence);
  sequence.cached = std::max(sequence.cached, sequence.next_position);
  sequence.next_position = 0;
  sequence.state = sequence.cached > 0 ? State::kReplaying : State::kPrefilling;
  Enqueue(sequence);
}

void Scheduler::Preempt(SequenceId id, bool hold) {
  const auto it = sequences_.find(id);
  APOLLO_CHECK(it != sequences_.end() && IsRunning(it->second));
  Stop(it->second, hold ? State::kHeld : State::kWaiting);
}

void Scheduler::Resume(SequenceId id) {
  const auto it = sequences_.find(id);
  if (it == sequences_.end() || it->second.state != State::kHeld) return;
  it->second.state = State::kWaiting;
  Enqueue(it->second);
}

void Scheduler::Remove(SequenceId id) {
  const auto it = sequences_.find(id);
  if (it == sequences_.end()) return;
  const int answer = it->second.tokens - it->second.first_tokens;
  if (answer > 0) answers_.Add(answer);
  Stop(it->second, State::kHeld);
  sequences_.erase(it);
}

}  // namespace apollo

#include "engine/scheduler.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "engine/cache_size.h"
#include "engine/prompt_shares.h"

namespace apollo {
namespace {

// Ranks those that were never admitted behind all others of their level.
constexpr std::uint64_t kNotAdmitted = std::uint64_t{1} << 63;
// A token of an answer counts for as much as two of a prompt, as in the paper
// (engine/caller_queue.h): its row shares the weights with fewer others.
constexpr int kAnswerTokenCost = 2;

}  // namespace

Scheduler::Scheduler(const Options& options, BlockPool& pool,
                     FindCached find_cached, FirstRow first_row)
    : options_(options),
      pool_(pool),
      find_cached_(std::move(find_cached)),
      first_row_(std::move(first_row)) {
  APOLLO_CHECK(options.token_budget >= 1 && options.max_running >= 1);
  APOLLO_CHECK(options.mixed_token_budget >= 1);
  APOLLO_CHECK(options.overcommit == 0 || options.overcommit >= 1);
  APOLLO_CHECK(options.ageing > absl::ZeroDuration());
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

void Scheduler::Add(SequenceId id, int tokens, int max_tokens, int priority,
                    std::string_view caller) {
  APOLLO_CHECK(tokens >= 1 && max_tokens >= tokens);
  APOLLO_CHECK(BlocksFor(max_tokens) <= pool_.total());
  const auto [it, added] = sequences_.try_emplace(id);
  APOLLO_CHECK(added);
  Sequence& sequence = it->second;
  sequence.rank = {-priority, kNotAdmitted + ++added_, id};
  sequence.priority = priority;
  sequence.caller = &waiting_.Join(caller, -priority);
  sequence.tokens = sequence.first_tokens = tokens;
  sequence.max_tokens = max_tokens;
  ++priorities_[priority];
  if (options_.ageing < absl::InfiniteDuration()) {
    sequence.ages_at = now_ + options_.ageing;
    ageing_.emplace(sequence.ages_at, id);
  }
  CountWaiting(sequence, 1);
  CountRows(sequence, 1);
  Enqueue(sequence);
}

void Scheduler::SetTime(absl::Duration now) {
  if (now <= now_) return;
  now_ = now;
  while (!ageing_.empty() && ageing_.begin()->first <= now) {
    Sequence& sequence = sequences_.at(ageing_.begin()->second);
    ageing_.erase(ageing_.begin());
    sequence.ages_at += options_.ageing;
    ageing_.emplace(sequence.ages_at, sequence.rank.id);
    if (-sequence.rank.lowness < priorities_.rbegin()->first) Promote(sequence);
  }
  // Others may have to give way to the best now.
  if (stuck_ && waits_out_ <= now) stuck_.reset();
}

void Scheduler::Promote(Sequence& sequence) {
  Dequeue(sequence);
  const bool runs = running_.erase(sequence.rank) > 0;
  const int lowness = sequence.rank.lowness--;
  waiting_.Move(*sequence.caller, lowness, sequence.rank.lowness, runs);
  sequence.turn.lowness = sequence.rank.lowness;
  if (runs) running_.insert(sequence.rank);
  Enqueue(sequence);
}

void Scheduler::Enqueue(const Sequence& sequence) {
  if (sequence.paused) return;
  switch (sequence.state) {
    case State::kWaiting:
      waiting_.Insert(*sequence.caller, sequence.rank, AdmissionCost(sequence));
      stuck_.reset();
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
  waiting_.Erase(*sequence.caller, sequence.rank);
  replaying_.erase(sequence.rank);
  prefilling_.erase(sequence.rank);
  if (sequence.state == State::kReady) ready_.erase(sequence.turn);
}

void Scheduler::SetPaused(SequenceId id, bool paused) {
  Sequence& sequence = sequences_.at(id);
  Dequeue(sequence);
  sequence.paused = paused;
  if (paused) EndPatience(id);
  Enqueue(sequence);
  // Sequences behind it need not wait any more.
  stuck_.reset();
}

bool Scheduler::MayAdmit() const {
  return !waiting_.empty() && stuck_ != waiting_.First().id;
}

bool Scheduler::HasWork(const ReplayRooms& rooms) const {
  if (!ready_.empty() || !prefilling_.empty()) return true;
  if (MayAdmit()) return true;
  return std::any_of(replaying_.begin(), replaying_.end(),
                     [&rooms](const Rank& rank) {
                       return rooms == nullptr || rooms(rank.id).rows > 0;
                     });
}

void Scheduler::Stop(Sequence& sequence, State state) {
  const Recount recount(*this, sequence);
  if (IsRunning(sequence)) {
    pool_.Release(sequence.blocks);
    running_.erase(sequence.rank);
    waiting_.Stop(*sequence.caller, sequence.rank.lowness);
    CountWaiting(sequence, 1);
  }
  Dequeue(sequence);
  sequence.state = state;
  sequence.lender.reset();
  sequence.next_position = 0;
  sequence.cached = 0;
  Enqueue(sequence);
  stuck_.reset();
}

void Scheduler::TakeChunk(Sequence& sequence, Step& step, int rows) {
  const Recount recount(*this, sequence);
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
      prefilling_.size() +
      (MayAdmit() ? std::min(waiting_.size(), room) : std::size_t{0});
  return generating > 0 && generating >= 4 * beginning;
}

Scheduler::Step Scheduler::NextStep(const ReplayRooms& rooms) {
  ++steps_;
  Step step;
  int budget = options_.token_budget;
  TakeReady(step, budget);
  const std::vector<SequenceId> through = TakeReplays(step, budget, rooms);
  if (IsMixed()) {
    budget = std::min(budget, options_.mixed_token_budget);
  }
  TakePrompts(step, budget);
  for (const SequenceId id : through) Enqueue(sequences_.at(id));
  return step;
}

void Scheduler::TakeReady(Step& step, int& budget) {
  // Once for each caller and level, because a charge moves it in the queue.
  struct Due {
    CallerQueue::Caller* caller = nullptr;
    std::int64_t tokens = 0;
  };
  std::map<std::pair<std::uint64_t, int>, Due> charges;
  while (!ready_.empty() && budget > 0) {
    Sequence& sequence = sequences_.at(ready_.begin()->id);
    if (!Grow(sequence, step, budget)) continue;
    const Recount recount(*this, sequence);
    ready_.erase(sequence.turn);
    sequence.state = State::kPending;
    step.slices.push_back(
        {sequence.rank.id, sequence.next_position, 1, 0, true});
    ++sequence.next_position;
    --budget;
    if (sequence.next_position <= sequence.charged) continue;
    sequence.charged = sequence.next_position;
    const int lowness = sequence.rank.lowness;
    Due& due = charges[{sequence.caller->number(), lowness}];
    due.caller = sequence.caller;
    due.tokens += kAnswerTokenCost;
  }
  for (const auto& [key, due] : charges) {
    waiting_.Charge(*due.caller, key.second, due.tokens);
  }
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
    const Recount recount(*this, sequence);
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
  Sequence* stuck = nullptr;
  for (;;) {
    const std::vector<Rank> candidates =
        admit ? Candidates(stuck) : std::vector<Rank>();
    const std::vector<Rank> prompts = Prompts(candidates);
    std::vector<PromptLeft> left;
    for (const Rank& rank : prompts) {
      const Sequence& sequence = sequences_.at(rank.id);
      left.push_back({rank.lowness, sequence.tokens - sequence.next_position});
    }
    const std::vector<int> shares =
        SharePromptRows(left, budget, best_gets_odd_row_);
    bool waits = false;  // A waiting sequence has a share.
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      waits |= shares[i] > 0 &&
               sequences_.at(prompts[i].id).state == State::kWaiting;
    }
    if (waits) {
      // The first is admitted even if only those behind it have a share: none
      // overtakes another candidate.
      Sequence& first = sequences_.at(candidates.front().id);
      const Loan before = stuck == nullptr ? Loan() : LoanOf(*stuck);
      const bool admitted = Admit(first, step, budget);
      if (stuck == nullptr) {
        if (admitted) continue;
        stuck = &first;
        SetStuck(first);
      } else if (!admitted) {
        admit = false;
      } else if (const Loan after = LoanOf(*stuck);
                 after.blocks < before.blocks || after.places < before.places) {
        first.lender = stuck->rank.id;
        first.has_borrowed = true;
      }
      continue;
    }
    // Some may overtake once there are rows for them.
    if (stuck != nullptr && !candidates.empty()) stuck_.reset();
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      if (shares[i] > 0) {
        TakeChunk(sequences_.at(prompts[i].id), step, shares[i]);
      }
    }
    if (budget % 2 != 0) best_gets_odd_row_ = !best_gets_odd_row_;
    return;
  }
}

std::vector<Scheduler::Rank> Scheduler::Prompts(
    std::span<const Rank> candidates) const {
  // By rank, but the candidates stay in the order of their turns.
  std::vector<Rank> all;
  all.reserve(prefilling_.size() + candidates.size());
  auto next = candidates.begin();
  for (const Rank& prompt : prefilling_) {
    while (next != candidates.end() && *next < prompt) all.push_back(*next++);
    all.push_back(prompt);
  }
  all.insert(all.end(), next, candidates.end());
  return all;
}

void Scheduler::TokenArrived(SequenceId id) {
  const auto it = sequences_.find(id);
  APOLLO_CHECK(it != sequences_.end());
  Sequence& sequence = it->second;
  APOLLO_CHECK(sequence.state == State::kPending);
  APOLLO_CHECK(sequence.tokens < sequence.max_tokens);
  const Recount recount(*this, sequence);
  ++sequence.tokens;
  sequence.state = State::kReady;
  sequence.turn = {sequence.rank.lowness, ++turns_, id};
  Enqueue(sequence);
}

int Scheduler::CachedRows(SequenceId id) const {
  const Sequence& sequence = sequences_.at(id);
  return std::max(sequence.cached, sequence.next_position);
}

void Scheduler::Replay(SequenceId id, int first) {
  const auto it = sequences_.find(id);
  APOLLO_CHECK(it != sequences_.end() && IsRunning(it->second));
  Sequence& sequence = it->second;
  const Recount recount(*this, sequence);
  Dequeue(sequence);
  sequence.cached = std::max(sequence.cached, sequence.next_position);
  APOLLO_CHECK(first == 0 || (first > 0 && first < sequence.cached));
  sequence.next_position = first;
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
  it->second.state = State::kWaiting;  // Counts the same.
  Enqueue(it->second);
}

void Scheduler::Remove(SequenceId id) {
  const auto it = sequences_.find(id);
  if (it == sequences_.end()) return;
  const int answer = it->second.tokens - it->second.first_tokens;
  if (answer > 0) answers_.Add(answer);
  Sequence& sequence = it->second;
  Stop(sequence, State::kHeld);
  EndPatience(id);
  Forgive(id);
  CountWaiting(sequence, -1);
  CountRows(sequence, -1);
  waiting_.Leave(*sequence.caller, sequence.rank.lowness);
  ageing_.erase({sequence.ages_at, id});
  const auto priority = priorities_.find(sequence.priority);
  if (--priority->second == 0) priorities_.erase(priority);
  sequences_.erase(it);
}

}  // namespace apollo

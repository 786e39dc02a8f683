// The part of Scheduler that decides which sequences hold blocks.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <ranges>
#include <set>
#include <vector>

#include "common/check.h"
#include "engine/cache_size.h"
#include "engine/scheduler.h"

namespace apollo {
namespace {

// Bounds the work of a step in which some may overtake: they are among the
// first that wait, this number times those that can run.
constexpr std::size_t kOvertakeFrom = 4;

}  // namespace

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
    const Rank worst = Worst();
    Evict(worst, step, budget);
    if (worst == sequence.rank) return false;
  }
  return true;
}

Scheduler::Rank Scheduler::Worst() const {
  struct Share {
    int sequences = 0, blocks = 0;
    Rank last;
  };
  std::map<std::uint64_t, Share> shares;  // By caller.
  const Rank last = *running_.rbegin();
  for (const Rank& rank : running_ | std::views::reverse) {
    if (rank.lowness != last.lowness) break;
    const Sequence& sequence = sequences_.at(rank.id);
    Share& share = shares[sequence.caller->number()];
    if (share.sequences++ == 0) share.last = rank;
    share.blocks += static_cast<int>(sequence.blocks.size());
  }
  const Share* worst = nullptr;
  for (const auto& [caller, share] : shares) {
    if (share.sequences < 2) continue;
    if (worst == nullptr || share.blocks > worst->blocks) worst = &share;
  }
  return worst == nullptr ? last : worst->last;
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

bool Scheduler::CanGrow(const Sequence& candidate,
                        std::span<const Rank> victims, int free) const {
  if (free < 0) return false;
  if (options_.overcommit == 0) return true;
  // Whole numbers: the order in which they are added must not matter, because
  // FitsWithout promises that FitsNow is true without the victims.
  std::int64_t growth = Growth(candidate);
  const auto take = [&](const Rank& rank, int sign) {
    const Sequence& other = sequences_.at(rank.id);
    if (!other.paused) growth += sign * Growth(other);
  };
  for (const Rank& rank : running_) take(rank, 1);
  for (const Rank& rank : victims) take(rank, -1);
  return static_cast<double>(growth) <=
         free + (options_.overcommit - 1) * pool_.total();
}

bool Scheduler::FitsNow(const Sequence& sequence, int blocks,
                        const BlockTable& cached) const {
  if (running() >= options_.max_running) return false;
  // Shared idle blocks become unavailable once they are used.
  const int shared = static_cast<int>(std::count_if(
      cached.begin(), cached.end(),
      [this](BlockId block) { return pool_.references(block) > 0; }));
  return CanGrow(sequence, /*victims=*/{},
                 pool_.available() - blocks + shared - Spare(running() > 0));
}

bool Scheduler::FitsWithout(std::span<const Rank> victims,
                            const Sequence& sequence, int blocks,
                            const BlockTable& cached) const {
  if (victims.empty()) return false;
  std::map<BlockId, int> given;  // References that the victims would release.
  for (const Rank& victim : victims) {
    for (const BlockId block : sequences_.at(victim.id).blocks) ++given[block];
  }
  int available = pool_.available();
  for (const auto& [block, references] : given) {
    available += references == pool_.references(block);
  }
  const int shared = static_cast<int>(
      std::count_if(cached.begin(), cached.end(), [&](BlockId block) {
        const auto it = given.find(block);
        return pool_.references(block) > (it != given.end() ? it->second : 0);
      }));
  const bool others = static_cast<int>(victims.size()) < running();
  return CanGrow(sequence, victims,
                 available - blocks + shared - Spare(others));
}

std::vector<Scheduler::Rank> Scheduler::Victims(const Sequence& candidate,
                                                int blocks) const {
  std::vector<Rank> victims;
  for (const Rank& rank : running_ | std::views::reverse) {
    if (rank.lowness <= -candidate.priority) break;
    victims.push_back(rank);
  }
  AddBorrowers(candidate, victims);
  if (candidate.caller->running(candidate.rank.lowness) == 0 && patient_ &&
      patient_->id == candidate.rank.id &&
      now_ - patient_->since >= options_.patience) {
    AddSharers(candidate, blocks, victims);
  }
  return victims;
}

void Scheduler::Forgive(SequenceId lender) {
  for (const Rank& rank : running_) {
    Sequence& other = sequences_.at(rank.id);
    if (other.lender == lender) other.lender.reset();
  }
}

Scheduler::Loan Scheduler::LoanOf(const Sequence& lender) const {
  Loan loan = {pool_.available(), options_.max_running - running()};
  for (const Rank& rank : running_) {
    const Sequence& other = sequences_.at(rank.id);
    if (other.lender != lender.rank.id) continue;
    loan.blocks += static_cast<int>(other.blocks.size());
    ++loan.places;
  }
  return loan;
}

void Scheduler::AddBorrowers(const Sequence& candidate,
                             std::vector<Rank>& victims) const {
  const auto begin = victims.size();
  for (const Rank& rank : running_) {
    // A step preempts before it admits.
    const Sequence& other = sequences_.at(rank.id);
    if (other.lender == candidate.rank.id && other.admitted_in != steps_) {
      victims.push_back(rank);
    }
  }
  std::reverse(victims.begin() + begin, victims.end());
}

std::vector<Scheduler::Rank> Scheduler::Candidates(
    const Sequence* stuck) const {
  // More could not be admitted.
  const std::size_t most = options_.max_running;
  if (stuck == nullptr) return waiting_.First(most);
  // Some of the first have no right to overtake.
  std::vector<Rank> first = waiting_.First(kOvertakeFrom * most);
  std::erase_if(first, [&](const Rank& rank) {
    const Sequence& other = sequences_.at(rank.id);
    return other.priority <= stuck->priority || other.has_borrowed;
  });
  if (first.size() > most) first.resize(most);
  return first;
}

void Scheduler::AddSharers(const Sequence& candidate, int blocks,
                           std::vector<Rank>& victims) const {
  struct Share {
    int sequences = 0, blocks = 0;
    std::vector<Rank> lasts;  // Those that may be preempted; the last is last.
  };
  std::map<std::uint64_t, Share> shares;  // By caller.
  const std::set<Rank> given(victims.begin(), victims.end());
  for (const Rank& rank : running_) {
    if (given.contains(rank)) continue;
    const Sequence& sequence = sequences_.at(rank.id);
    Share& share = shares[sequence.caller->number()];
    ++share.sequences;
    share.blocks += static_cast<int>(sequence.blocks.size());
    // A step preempts before it admits.
    if (sequence.admitted_in == steps_) continue;
    if (rank.lowness >= candidate.rank.lowness) share.lasts.push_back(rank);
  }
  const auto last_blocks = [this](const Share& share) {
    return static_cast<int>(sequences_.at(share.lasts.back().id).blocks.size());
  };
  for (;;) {
    Share* most = nullptr;
    for (auto& [caller, share] : shares) {
      if (share.sequences < 2 || share.lasts.empty()) continue;
      if (share.blocks - last_blocks(share) < blocks) continue;
      if (most == nullptr || share.blocks > most->blocks) most = &share;
    }
    if (most == nullptr) return;
    victims.push_back(most->lasts.back());
    most->blocks -= last_blocks(*most);
    --most->sequences;
    most->lasts.pop_back();
  }
}

void Scheduler::SetStuck(const Sequence& best) {
  stuck_ = best.rank.id;
  // What others have lent is its to take back, while it is the best.
  for (const Rank& rank : running_) {
    Sequence& other = sequences_.at(rank.id);
    if (other.lender && other.priority > best.priority) {
      other.lender = best.rank.id;
    }
  }
  if (best.caller->running(best.rank.lowness) > 0) {
    patient_.reset();
  } else if (!patient_ || patient_->id != best.rank.id) {
    patient_ = {best.rank.id, now_};
  }
  waits_out_ = absl::InfiniteDuration();
  if (!patient_) return;
  // After that, again and again: those who would give way grow, and must keep
  // as many blocks as they give.
  const absl::Duration due = patient_->since + options_.patience;
  waits_out_ = due > now_ ? due : now_ + options_.patience;
}

void Scheduler::EndPatience(SequenceId id) {
  if (patient_ && patient_->id == id) patient_.reset();
}

int Scheduler::AdmissionCost(const Sequence& sequence) {
  return std::max(0, sequence.tokens - sequence.charged);
}

bool Scheduler::Admit(Sequence& sequence, Step& step, int& budget) {
  const BlockTable cached =
      find_cached_ ? find_cached_(sequence.rank.id) : BlockTable();
  const int blocks = BlocksFor(sequence.tokens);
  APOLLO_CHECK(static_cast<int>(cached.size()) * kBlockTokens <=
               sequence.tokens);
  if (!FitsNow(sequence, blocks, cached)) {
    // Preempts only if that frees enough blocks.
    const std::vector<Rank> victims = Victims(sequence, blocks);
    if (!FitsWithout(victims, sequence, blocks, cached)) return false;
    auto victim = victims.begin();
    do {
      APOLLO_CHECK(victim != victims.end());
      Evict(*victim++, step, budget);
    } while (!FitsNow(sequence, blocks, cached));
  }
  for (const BlockId block : cached) pool_.AddReference(block);
  sequence.blocks = cached;
  APOLLO_CHECK(pool_.Extend(sequence.blocks, blocks));
  waiting_.Admit(*sequence.caller, sequence.rank);
  CountWaiting(sequence, -1);
  if (sequence.admitted_in == 0) sequence.rank.number = ++admitted_;
  sequence.admitted_in = steps_;
  EndPatience(sequence.rank.id);
  Forgive(sequence.rank.id);
  sequence.charged = std::max(sequence.charged, sequence.tokens);
  const Recount recount(*this, sequence);
  sequence.cached = static_cast<int>(cached.size()) * kBlockTokens;
  if (first_row_) {
    sequence.next_position = first_row_(sequence.rank.id, sequence.cached);
    APOLLO_CHECK(sequence.next_position >= 0 &&
                 sequence.next_position <= sequence.cached &&
                 sequence.next_position < sequence.tokens);
  }
  sequence.state = State::kPrefilling;
  running_.insert(sequence.rank);
  prefilling_.insert(sequence.rank);
  step.admitted.push_back({sequence.rank.id, sequence.cached});
  return true;
}

}  // namespace apollo

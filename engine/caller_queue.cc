#include "engine/caller_queue.h"

#include <algorithm>
#include <iterator>

#include "common/check.h"

namespace apollo {

CallerQueue::Caller& CallerQueue::Join(std::string_view name) {
  auto it = callers_.find(name);
  if (it == callers_.end()) {
    it = callers_.try_emplace(std::string(name)).first;
    it->second.name_ = name;
    it->second.number_ = ++numbers_;
  }
  Caller& caller = it->second;
  if (caller.sequences_++ == 0) {
    idle_.erase(TurnOf(caller));
    ++active_;
  }
  return caller;
}

void CallerQueue::Leave(Caller& caller) {
  APOLLO_CHECK(caller.sequences_ > 0);
  if (--caller.sequences_ > 0) return;
  APOLLO_CHECK(caller.waiting_.empty());
  --active_;
  idle_.insert(TurnOf(caller));
  Forget();
}

void CallerQueue::Forget() {
  // What a caller of that counter, or less, would be lifted to in any level.
  std::int64_t least = floor_;
  for (const auto& [lowness, level] : levels_) {
    least = std::min(least, level.begin()->served);
  }
  while (!idle_.empty() && (active_ == 0 || idle_.begin()->served <= least ||
                            idle_.size() > kMostIdle)) {
    const std::string name = idle_.begin()->caller->name_;
    idle_.erase(idle_.begin());
    callers_.erase(name);
  }
  if (active_ == 0) floor_ = 0;
}

void CallerQueue::RemoveTurns(Caller& caller) {
  for (const auto& [lowness, waiting] : caller.waiting_) {
    const auto level = levels_.find(lowness);
    level->second.erase(TurnOf(caller));
    if (level->second.empty()) levels_.erase(level);
  }
}

void CallerQueue::AddTurns(Caller& caller) {
  for (const auto& [lowness, waiting] : caller.waiting_) {
    levels_[lowness].insert(TurnOf(caller));
  }
}

void CallerQueue::Insert(Caller& caller, const SequenceRank& rank,
                         std::int64_t cost) {
  if (!caller.waiting_.contains(rank.lowness)) {
    RemoveTurns(caller);
    const auto level = levels_.find(rank.lowness);
    const std::int64_t least =
        level == levels_.end() ? floor_ : level->second.begin()->served;
    caller.served_ = std::max(caller.served_, least);
    caller.waiting_[rank.lowness];
    AddTurns(caller);
  }
  size_ += caller.waiting_[rank.lowness].emplace(rank, cost).second;
}

void CallerQueue::Erase(Caller& caller, const SequenceRank& rank) {
  const auto waiting = caller.waiting_.find(rank.lowness);
  if (waiting == caller.waiting_.end()) return;
  size_ -= waiting->second.erase(rank);
  if (!waiting->second.empty()) return;
  RemoveTurns(caller);
  caller.waiting_.erase(waiting);
  AddTurns(caller);
}

SequenceRank CallerQueue::First() const {
  const auto& [lowness, level] = *levels_.begin();
  return level.begin()->caller->waiting_.at(lowness).begin()->first;
}

void CallerQueue::ListLevel(int lowness, const Level& level, std::size_t most,
                            std::vector<SequenceRank>& list) const {
  // A caller that is not among the first `most` has no sequence among them.
  const std::size_t room = most - list.size();
  using Next = std::map<SequenceRank, std::int64_t>::const_iterator;
  std::map<Turn, Next> turns;
  for (const Turn& turn : level) {
    if (turns.size() == room) break;
    turns.emplace(turn, turn.caller->waiting_.at(lowness).begin());
  }
  while (list.size() < most && !turns.empty()) {
    auto node = turns.extract(turns.begin());
    list.push_back(node.mapped()->first);
    node.key().served += node.mapped()->second;
    node.key().admitted = admissions_ + list.size();
    if (++node.mapped() == node.key().caller->waiting_.at(lowness).end()) {
      continue;
    }
    turns.insert(std::move(node));
  }
}

std::vector<SequenceRank> CallerQueue::First(std::size_t most) const {
  std::vector<SequenceRank> list;
  list.reserve(std::min(most, size_));
  for (const auto& [lowness, level] : levels_) {
    if (list.size() == most) break;
    ListLevel(lowness, level, most, list);
  }
  return list;
}

void CallerQueue::Admit(Caller& caller, const SequenceRank& rank) {
  const std::int64_t cost = caller.waiting_.at(rank.lowness).at(rank);
  floor_ = std::max(floor_, caller.served_);
  Erase(caller, rank);
  RemoveTurns(caller);
  caller.served_ += cost;
  caller.admitted_ = ++admissions_;
  AddTurns(caller);
}

void CallerQueue::Charge(Caller& caller, std::int64_t tokens) {
  if (tokens == 0) return;
  RemoveTurns(caller);
  caller.served_ += tokens;
  AddTurns(caller);
}

}  // namespace apollo

#include "engine/caller_queue.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace apollo {

std::int64_t CallerQueue::Caller::served(int lowness) const {
  const auto account = accounts_.find(lowness);
  return account == accounts_.end() ? 0 : account->second.served;
}

int CallerQueue::Caller::running(int lowness) const {
  int running = 0;
  for (const auto& [level, account] : accounts_) {
    if (level > lowness) break;
    running += account.running;
  }
  return running;
}

CallerQueue::Caller& CallerQueue::Join(std::string_view name, int lowness) {
  auto it = callers_.find(name);
  if (it == callers_.end()) {
    it = callers_.try_emplace(std::string(name)).first;
    it->second.name_ = name;
    it->second.number_ = ++numbers_;
  }
  Caller& caller = it->second;
  if (caller.sequences_++ == 0) ++active_;
  JoinLevel(caller, lowness);
  return caller;
}

void CallerQueue::JoinLevel(Caller& caller, int lowness) {
  Account& account = caller.accounts_[lowness];
  account.caller = &caller;
  account.lowness = lowness;
  if (account.sequences++ > 0) return;
  Level& level = levels_[lowness];
  idle_ -= level.idle.erase(TurnOf(account));
  ++level.active;
}

void CallerQueue::Leave(Caller& caller, int lowness) {
  APOLLO_CHECK(caller.sequences_ > 0);
  if (--caller.sequences_ == 0) --active_;
  LeaveLevel(caller, lowness);  // May end the caller.
}

void CallerQueue::LeaveLevel(Caller& caller, int lowness) {
  Account& account = caller.accounts_.at(lowness);
  APOLLO_CHECK(account.sequences > 0);
  if (--account.sequences > 0) return;
  APOLLO_CHECK(account.waiting.empty() && account.running == 0);
  Level& level = levels_.at(lowness);
  --level.active;
  level.idle.insert(TurnOf(account));
  ++idle_;
  Forget(lowness);
}

void CallerQueue::Move(Caller& caller, int from, int to, bool runs) {
  JoinLevel(caller, to);
  if (runs) {
    --caller.accounts_.at(from).running;
    ++caller.accounts_.at(to).running;
  }
  LeaveLevel(caller, from);
}

std::int64_t CallerQueue::Least(int lowness) const {
  const auto turns = waiting_.find(lowness);
  if (turns != waiting_.end()) return turns->second.begin()->served;
  return levels_.at(lowness).floor;
}

void CallerQueue::Forget(int lowness) {
  Level& level = levels_.at(lowness);
  // The floor may count again, once no other waits.
  const std::int64_t least = std::min(level.floor, Least(lowness));
  while (!level.idle.empty() &&
         (level.active == 0 || level.idle.begin()->served <= least ||
          idle_ > kMostIdle)) {
    ForgetFirst(level);
  }
  if (level.active == 0) levels_.erase(lowness);
}

void CallerQueue::ForgetFirst(Level& level) {
  const Account& account = *level.idle.begin()->account;
  Caller& caller = *account.caller;
  level.idle.erase(level.idle.begin());
  --idle_;
  caller.accounts_.erase(account.lowness);
  if (caller.sequences_ > 0 || !caller.accounts_.empty()) return;
  callers_.erase(callers_.find(caller.name_));
}

void CallerQueue::RemoveTurn(Account& account) {
  if (account.waiting.empty()) return;
  const auto turns = waiting_.find(account.lowness);
  turns->second.erase(TurnOf(account));
  if (turns->second.empty()) waiting_.erase(turns);
}

void CallerQueue::AddTurn(Account& account) {
  if (account.waiting.empty()) return;
  waiting_[account.lowness].insert(TurnOf(account));
}

void CallerQueue::Insert(Caller& caller, const SequenceRank& rank,
                         std::int64_t cost) {
  Account& account = caller.accounts_.at(rank.lowness);
  const bool begins = account.waiting.empty();
  if (begins) account.served = std::max(account.served, Least(rank.lowness));
  size_ += account.waiting.emplace(rank, cost).second;
  if (begins) AddTurn(account);
}

void CallerQueue::Erase(Caller& caller, const SequenceRank& rank) {
  Account& account = caller.accounts_.at(rank.lowness);
  if (!account.waiting.contains(rank)) return;
  RemoveTurn(account);
  size_ -= account.waiting.erase(rank);
  AddTurn(account);
}

SequenceRank CallerQueue::First() const {
  const Turns& level = waiting_.begin()->second;
  return level.begin()->account->waiting.begin()->first;
}

void CallerQueue::ListLevel(const Turns& level, std::size_t most,
                            std::vector<SequenceRank>& list) const {
  // A caller that is not among the first `most` has no sequence among them.
  const std::size_t room = most - list.size();
  using Next = std::map<SequenceRank, std::int64_t>::const_iterator;
  std::map<Turn, Next> turns;
  for (const Turn& turn : level) {
    if (turns.size() == room) break;
    turns.emplace(turn, turn.account->waiting.begin());
  }
  while (list.size() < most && !turns.empty()) {
    auto node = turns.extract(turns.begin());
    list.push_back(node.mapped()->first);
    node.key().served += node.mapped()->second;
    node.key().admitted = admissions_ + list.size();
    if (++node.mapped() == node.key().account->waiting.end()) continue;
    turns.insert(std::move(node));
  }
}

std::vector<SequenceRank> CallerQueue::First(std::size_t most) const {
  std::vector<SequenceRank> list;
  list.reserve(std::min(most, size_));
  for (const auto& [lowness, level] : waiting_) {
    if (list.size() == most) break;
    ListLevel(level, most, list);
  }
  return list;
}

void CallerQueue::Admit(Caller& caller, const SequenceRank& rank) {
  Account& account = caller.accounts_.at(rank.lowness);
  Level& level = levels_.at(rank.lowness);
  level.floor = std::max(level.floor, account.served);
  RemoveTurn(account);
  const auto sequence = account.waiting.find(rank);
  APOLLO_CHECK(sequence != account.waiting.end());
  account.served += sequence->second;
  account.admitted = ++admissions_;
  account.waiting.erase(sequence);
  --size_;
  ++account.running;
  AddTurn(account);
}

void CallerQueue::Stop(Caller& caller, int lowness) {
  --caller.accounts_.at(lowness).running;
}

void CallerQueue::Charge(Caller& caller, int lowness, std::int64_t tokens) {
  Account& account = caller.accounts_.at(lowness);
  RemoveTurn(account);
  account.served += tokens;
  AddTurn(account);
}

}  // namespace apollo

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/sequence_rank.h"

namespace apollo {

// The sequences that wait, by level and, within a level, in an order that is
// fair between callers: the virtual token counter of Sheng et al., "Fairness in
// Serving Large Language Models" (OSDI 2024).
//
// Each caller has, for each level, a counter of the tokens that it was served
// there. The next sequence of a level is that of the waiting caller with the
// smallest counter; of equal ones, the caller that was admitted least recently.
// The sequences of one caller keep their rank. A caller that begins to wait in
// a level is lifted to the smallest counter of those that wait there, or to
// that of the caller admitted last if there are none: time in which it asked
// for nothing gives it no claim.
//
// So while two callers wait in a level, the tokens that they are served there
// differ by no more than those of the longest prompt and of what they run at
// once, however many sequences each of them has. What a caller gets in one
// level costs it nothing in another.
//
// A caller without sequences of a level is remembered there while the level has
// others and its counter exceeds their smallest one, at most kMostIdle times in
// all; it cannot get rid of its counter by a pause. All operations take
// logarithmic time, if not stated otherwise. Single-threaded.
class CallerQueue {
 public:
  class Caller {
   public:
    // Differs from that of every other caller.
    std::uint64_t number() const { return number_; }
    // Returns its counter in a level.
    std::int64_t served(int lowness) const;
    // Returns how many of its sequences run in that level or a higher one; in
    // the order of its levels.
    int running(int lowness) const;

   private:
    friend class CallerQueue;
    // What it has in a level.
    struct Account {
      Caller* caller = nullptr;
      int lowness = 0;
      std::int64_t served = 0;
      std::uint64_t admitted = 0;  // Its last admission.
      int sequences = 0;           // That have joined.
      int running = 0;
      // The sequences that wait and what each is about to cost.
      std::map<SequenceRank, std::int64_t> waiting;
    };
    std::string name_;
    std::uint64_t number_ = 0;
    int sequences_ = 0;                // That have joined.
    std::map<int, Account> accounts_;  // By lowness.
  };

  // Returns the caller, for one more sequence of it of that level, until as
  // many Leave.
  Caller& Join(std::string_view name, int lowness);
  // Must neither wait nor run any more.
  void Leave(Caller& caller, int lowness);
  // Moves a sequence that does not wait to another level.
  void Move(Caller& caller, int from, int to, bool runs);
  // Returns the number of callers that have sequences.
  int callers() const { return active_; }
  // Returns the number of those and of the others that are remembered.
  std::size_t remembered() const { return callers_.size(); }

  // Adds a sequence that waits. `cost` is the charge of its admission.
  void Insert(Caller& caller, const SequenceRank& rank, std::int64_t cost);
  // Removes it, if it is there.
  void Erase(Caller& caller, const SequenceRank& rank);
  bool empty() const { return waiting_.empty(); }
  std::size_t size() const { return size_; }
  // Returns the next sequence. The queue must not be empty.
  SequenceRank First() const;
  // Returns the first `most` in order, as far as costs tell; in the order of
  // the result, times the logarithm of its size.
  std::vector<SequenceRank> First(std::size_t most) const;

  // Removes a sequence that is admitted, and charges its caller. It runs until
  // Stop.
  void Admit(Caller& caller, const SequenceRank& rank);
  void Stop(Caller& caller, int lowness);
  // Adds to the caller's counter in a level of a sequence of it.
  void Charge(Caller& caller, int lowness, std::int64_t tokens);

  static constexpr std::size_t kMostIdle = 1024;

 private:
  using Account = Caller::Account;
  // The turn of a caller in a level.
  struct Turn {
    std::int64_t served = 0;
    std::uint64_t admitted = 0;
    std::uint64_t number = 0;  // Of the caller; makes the order total.
    Account* account = nullptr;
    bool operator<(const Turn& other) const {
      if (served != other.served) return served < other.served;
      if (admitted != other.admitted) return admitted < other.admitted;
      return number < other.number;
    }
  };
  using Turns = std::set<Turn>;
  // A level that has sequences.
  struct Level {
    int active = 0;          // Callers with sequences.
    std::int64_t floor = 0;  // The counter of the caller admitted last.
    Turns idle;              // Callers without sequences.
  };

  static Turn TurnOf(Account& account) {
    return {account.served, account.admitted, account.caller->number_,
            &account};
  }
  void JoinLevel(Caller& caller, int lowness);
  void LeaveLevel(Caller& caller, int lowness);
  // Returns the counter to which a caller that begins to wait is lifted.
  std::int64_t Least(int lowness) const;
  // Removes the account's turn, or adds it, if it has sequences that wait.
  void RemoveTurn(Account& account);
  void AddTurn(Account& account);
  // Appends the first sequences of a level, up to `most` in all.
  void ListLevel(const Turns& level, std::size_t most,
                 std::vector<SequenceRank>& list) const;
  // Forgets idle callers of a level whose counters say nothing any more, or are
  // too many.
  void Forget(int lowness);
  void ForgetFirst(Level& level);

  std::map<std::string, Caller, std::less<>> callers_;
  std::map<int, Level> levels_;   // By lowness.
  std::map<int, Turns> waiting_;  // By lowness; none is empty.
  std::size_t size_ = 0, idle_ = 0;
  int active_ = 0;
  std::uint64_t admissions_ = 0, numbers_ = 0;
};

}  // namespace apollo

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
// Each caller has a counter of the tokens that it was served. The next sequence
// of a level is that of the waiting caller with the smallest counter; of equal
// ones, the caller that was admitted least recently. The sequences of one
// caller keep their rank. A caller that begins to wait in a level is lifted to
// the smallest counter of those that wait there, or to that of the caller
// admitted last if there are none: time in which it asked for nothing gives it
// no claim.
//
// So while two callers wait in a level, the tokens that they are served differ
// by no more than those of the longest prompt and of what they run at once,
// however many sequences each of them has.
//
// A caller without sequences is remembered while its counter exceeds the
// smallest one of the others, at most kMostIdle of them; it cannot get rid of
// its counter by a pause. All operations take logarithmic time, if not stated
// otherwise. Single-threaded.
class CallerQueue {
 public:
  class Caller {
   public:
    // Its sequences that are running; kept by the user of the queue.
    int running = 0;
    std::int64_t served() const { return served_; }
    // Differs from that of every other caller.
    std::uint64_t number() const { return number_; }

   private:
    friend class CallerQueue;
    std::string name_;
    std::int64_t served_ = 0;
    std::uint64_t admitted_ = 0;  // Its last admission.
    std::uint64_t number_ = 0;
    int sequences_ = 0;  // That have joined.
    // The sequences that wait and what each is about to cost, by level.
    std::map<int, std::map<SequenceRank, std::int64_t>> waiting_;
  };

  // Returns the caller, for one more sequence of it, until as many Leave.
  Caller& Join(std::string_view name);
  void Leave(Caller& caller);
  // Returns the number of callers that have sequences.
  int callers() const { return active_; }
  // Returns the number of those and of the others that are remembered.
  std::size_t remembered() const { return callers_.size(); }

  // Adds a sequence that waits. `cost` is the charge of its admission.
  void Insert(Caller& caller, const SequenceRank& rank, std::int64_t cost);
  // Removes it, if it is there.
  void Erase(Caller& caller, const SequenceRank& rank);
  bool empty() const { return levels_.empty(); }
  std::size_t size() const { return size_; }
  // Returns the next sequence. The queue must not be empty.
  SequenceRank First() const;
  // Returns the first `most` in order, as far as costs tell; in the order of
  // the result, times the logarithm of its size.
  std::vector<SequenceRank> First(std::size_t most) const;

  // Removes a sequence that is admitted, and charges its caller.
  void Admit(Caller& caller, const SequenceRank& rank);
  // Adds to the caller's counter.
  void Charge(Caller& caller, std::int64_t tokens);

  static constexpr std::size_t kMostIdle = 1024;

 private:
  // The turn of a caller in a level.
  struct Turn {
    std::int64_t served = 0;
    std::uint64_t admitted = 0;
    std::uint64_t number = 0;  // Of the caller; makes the order total.
    Caller* caller = nullptr;
    bool operator<(const Turn& other) const {
      if (served != other.served) return served < other.served;
      if (admitted != other.admitted) return admitted < other.admitted;
      return number < other.number;
    }
  };
  using Level = std::set<Turn>;

  static Turn TurnOf(Caller& caller) {
    return {caller.served_, caller.admitted_, caller.number_, &caller};
  }
  // Removes the caller's turns from all levels, or adds them.
  void RemoveTurns(Caller& caller);
  void AddTurns(Caller& caller);
  // Appends the first sequences of a level, up to `most` in all.
  void ListLevel(int lowness, const Level& level, std::size_t most,
                 std::vector<SequenceRank>& list) const;
  // Forgets idle callers whose counters say nothing any more, or are too many.
  void Forget();

  std::map<std::string, Caller, std::less<>> callers_;
  std::map<int, Level> levels_;  // By lowness; none is empty.
  Level idle_;                   // Callers without sequences.
  std::size_t size_ = 0;
  int active_ = 0;
  std::uint64_t admissions_ = 0, numbers_ = 0;
  std::int64_t floor_ = 0;  // The counter of the caller admitted last.
};

}  // namespace apollo

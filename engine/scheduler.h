#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/answer_lengths.h"
#include "engine/block_pool.h"
#include "engine/caller_queue.h"
#include "engine/sequence_rank.h"

namespace apollo {

// Decides which rows make up each step of a dense worker, and which sequences
// hold cache blocks: continuous batching with chunked prefill, priorities,
// fairness between callers, and preemption. A pure state machine: no clock (it
// is told the time), no threads, no tensors.
//
// A sequence is first waiting (no blocks), then prefilling (its known tokens
// run in chunks). It then alternates between pending (its next token is being
// computed by an expert worker) and ready (it has a token to feed), until it is
// removed. Sequences are ranked by level, then by order of first admission.
// Those that wait for it take turns by the tokens that their callers were
// served (engine/caller_queue.h); those of one caller in order of arrival.
//
// The level is the priority at first. A sequence gains one for each time of
// `ageing` at which a sequence of a higher priority was present, and keeps it:
// a difference of d priorities puts off the lower one by at most d times that
// time, and sequences of one priority stay together.
//
// Each step takes the ready sequences first, one row each, then as many prompt
// rows as the budgets allow. A long prompt thus delays running sequences by at
// most mixed_token_budget rows per step. engine/prompt_shares.h states how
// prompts share these rows. Waiting sequences are admitted in order, once there
// are blocks for all their known tokens and rows for them or for a sequence
// behind them.
//
// Blocks are allocated as a sequence grows. If none is available, a running
// sequence of the lowest level is preempted: the last of the caller that holds
// the most blocks with more than one, or the last of all. It loses its blocks,
// waits, and all its tokens (prompt and answer) are prefilled again later. The
// best sequence can take blocks from all others, and every sequence fits alone,
// so some sequence always makes progress.
//
// To admit a waiting sequence, sequences of a level below its priority are
// preempted. If its caller runs none of its level or above, and it has been the
// best without room for `patience`, so are the last ones of callers that run
// several, on its level or below, as long as each of them keeps as many blocks
// as it gets. So a caller with single requests does not wait for the answers of
// one with many. A sequence admitted in this way is the first of its caller, so
// nobody can take its place in the same way: the two do not alternate.
//
// While the best waiting sequence has no room, those behind it wait, too, or it
// might wait for ever. Only sequences of a higher priority, whose level it has
// reached by age, overtake it. One that preempts nobody for that borrows its
// blocks: as soon as the best would fit without the borrowers, they give way,
// wait in their old rank, and do not borrow again. So the best begins no later
// than if they had waited. One that preempts lower ones, and takes no more than
// they had, keeps its blocks; it comes in the place of those, of which no
// others begin meanwhile.
//
// The rows of a sequence are scheduled from its first position, or from the one
// behind cached rows that its expert worker needs not (FirstRow). A running
// sequence whose expert worker is gone replays: it keeps its blocks, and the
// rows that they hold are scheduled again, as cached rows, for another worker.
// Replays come after the ready sequences and before prompts, one sequence after
// the other in rank order, with all rows that the step has left and that their
// worker has room for.
//
// With `overcommit`, a sequence is admitted only if the blocks that are free
// also suffice for the expected growth of all unpaused running sequences and
// its own, so that preemption stays an exception: what a preempted sequence has
// computed is lost. A sequence is expected to grow to its prompt plus
// AnswerLengths, but to no more than its maximum. This changes when a sequence
// runs, never its result.
class Scheduler {
 public:
  struct Options {
    int token_budget = 512;  // Rows per step; at least 1.
    // Prompt rows per step while at least four times as many sequences wait for
    // their next token as for their first; at least 1. Smaller values make
    // token intervals steadier and prefill slower. The limit does not apply
    // while many sequences have yet to begin, as after a burst, because
    // starting them soon is then better for all.
    int mixed_token_budget = 512;
    int max_running = 64;  // Maximum number of sequences that hold blocks.
    // The blocks that running sequences are expected to need, divided by those
    // of the cache; at least 1. 0: growth is not considered.
    double overcommit = 0;
    // Time for which a waiting sequence gains a level; above 0.
    absl::Duration ageing = absl::InfiniteDuration();
    // Time for which the best waiting sequence lacks room before callers that
    // run several make some, if its own caller runs none.
    absl::Duration patience = absl::Seconds(1);
  };

  // Rows of one sequence in a step: the tokens at positions
  // first_position..first_position + rows - 1.
  struct Slice {
    SequenceId sequence = 0;
    int first_position = 0;
    int rows = 0;
    int cached = 0;            // Leading rows whose content is already cached.
    bool ends_prompt = false;  // The last row is the last known token.
    bool replays = false;      // All rows were scheduled before: see Replay.
  };

  struct Admission {
    SequenceId sequence = 0;
    int cached_tokens = 0;  // Leading tokens found in the cache.
  };

  // Applies in this order: sequences lose their blocks, others (possibly the
  // same ones) are admitted, then the rows run.
  struct Step {
    std::vector<SequenceId> preempted;
    std::vector<Admission> admitted;
    std::vector<Slice> slices;
  };

  // Returns the blocks that already hold the start of a sequence's known
  // tokens, in order, and no more than those tokens fill. Called for candidates
  // for admission.
  using FindCached = std::function<BlockTable(SequenceId)>;

  // Returns the first position of a sequence that is scheduled now that it has
  // been admitted, at most `cached_tokens`, and below the number of its known
  // tokens. Must not change the scheduler.
  using FirstRow = std::function<int(SequenceId, int cached_tokens)>;

  // The rows that the sequences of one group together may replay in a step.
  struct ReplayRoom {
    std::uint64_t group = 0;
    int rows = std::numeric_limits<int>::max();
  };
  // Returns the room of a sequence's group. Null: there is no limit.
  using ReplayRooms = std::function<ReplayRoom(SequenceId)>;

  // The pool must outlive the scheduler. `find_cached` may be null; without
  // `first_row` all rows are scheduled.
  Scheduler(const Options& options, BlockPool& pool,
            FindCached find_cached = nullptr, FirstRow first_row = nullptr);

  // Returns the cache capacity for one sequence, in tokens.
  std::int64_t capacity() const;

  // Returns FAILED_PRECONDITION, with the reason, if a sequence of `max_tokens`
  // tokens could never run, even alone.
  absl::Status CheckFits(std::int64_t max_tokens) const;

  // Adds a sequence. `id` must be new. `tokens` >= 1 is the number of known
  // tokens; `max_tokens` >= `tokens` is the maximum number of positions, which
  // must pass CheckFits. Higher priorities run first. `caller` shares the time
  // with others of another name.
  void Add(SequenceId id, int tokens, int max_tokens, int priority = 0,
           std::string_view caller = "");

  // Tells the time, which counts from any point and never goes back. Call it
  // several times a second; until it is called, time stands still.
  void SetTime(absl::Duration now);

  // Returns the next step, or an empty one if nothing can run now. Its
  // sequences are pending (or still prefilling or replaying) afterwards.
  Step NextStep(const ReplayRooms& rooms = nullptr);

  // Returns true if NextStep might return a nonempty step. False after an empty
  // step until something changes, among it the rooms.
  bool HasWork(const ReplayRooms& rooms = nullptr) const;
  // Returns true if the sequence has rows to replay.
  bool Replays(SequenceId id) const {
    return sequences_.at(id).state == State::kReplaying;
  }

  // Makes a pending sequence ready: its next token is known.
  void TokenArrived(SequenceId id);

  // Takes the blocks of a running sequence. It then waits again or, with
  // `hold`, is held until Resume.
  void Preempt(SequenceId id, bool hold);
  // Schedules the rows of a running sequence again, from the position `first`
  // on; those that have been scheduled before, or were found in the cache, as
  // cached rows. It keeps its blocks and its known tokens. `first` must be 0 or
  // the position of such a row.
  void Replay(SequenceId id, int first = 0);
  // Returns the number of leading positions of a running sequence that have
  // been scheduled, or were found in the cache.
  int CachedRows(SequenceId id) const;
  // Returns a held sequence to the waiting ones. Ignores others.
  void Resume(SequenceId id);

  // Pauses or resumes a sequence. A paused sequence is not scheduled or
  // admitted, and others do not wait for it. It keeps its blocks unless others
  // need them.
  void SetPaused(SequenceId id, bool paused);

  // Notes that blocks of the pool have become available in another way than by
  // these functions: waiting sequences may fit now.
  void BlocksFreed() { stuck_.reset(); }

  // Removes a sequence in any state and releases its blocks. Ignores unknown
  // ids.
  void Remove(SequenceId id);

  // The blocks of a running sequence. A block may be replaced by one with the
  // same content.
  BlockTable& blocks(SequenceId id) { return sequences_.at(id).blocks; }

  // Returns true if, after NextStep, the best waiting sequence has no room:
  // those that come now wait until others end. False also if it only waits for
  // rows of a step.
  bool LacksRoom() const {
    return !waiting_.empty() &&
           (stuck_.has_value() || running() >= options_.max_running);
  }
  // Returns true if sequences wait that may be admitted: not held or paused.
  bool AnyWaits() const { return !waiting_.empty(); }
  int running() const { return static_cast<int>(running_.size()); }
  // All others, including held ones.
  int waiting() const {
    return static_cast<int>(sequences_.size() - running_.size());
  }
  // Returns how many of these have a priority below, equal to and above 0.
  const std::array<int, 3>& waiting_by_sign() const { return by_sign_; }
  // Returns how many of these have that priority or a higher one.
  int WaitingFrom(int priority) const;
  // Returns the number of callers of all sequences.
  int callers() const { return waiting_.callers(); }
  // Returns the number of known tokens of the waiting ones.
  std::int64_t waiting_tokens() const { return waiting_tokens_; }
  // Returns the number of known tokens that are not scheduled yet, apart from
  // those that a running sequence has found in the cache.
  std::int64_t queued_rows() const { return queued_rows_; }
  // Ends the process unless these two are the sums over all sequences. Takes
  // time for each; for tests.
  void CheckCounts() const;

 private:
  using Rank = SequenceRank;
  enum class State {
    kWaiting,
    kHeld,
    kReplaying,
    kPrefilling,
    kPending,
    kReady
  };
  struct Sequence {
    Rank rank;
    int priority = 0;
    CallerQueue::Caller* caller = nullptr;
    State state = State::kWaiting;
    bool paused = false;
    std::uint64_t admitted_in = 0;  // The step of its last admission, from 1.
    // The sequence that it has overtaken, if it runs in blocks that this one
    // lends.
    std::optional<SequenceId> lender;
    bool has_borrowed = false;
    absl::Duration ages_at;  // Its key in ageing_.
    int tokens = 0;          // Known tokens.
    int first_tokens = 0;    // The same, when it was added.
    int max_tokens = 0;
    int charged = 0;        // Leading tokens for which its caller was charged.
    int next_position = 0;  // First unscheduled position.
    // Positions found in the cache at admission, or scheduled before a replay.
    int cached = 0;
    Rank turn;  // Position in ready_.
    BlockTable blocks;
  };

  bool IsRunning(const Sequence& sequence) const {
    return sequence.state != State::kWaiting && sequence.state != State::kHeld;
  }
  // Enqueue adds the sequence to the set of its state unless it is paused.
  // Dequeue removes it from all sets.
  void Enqueue(const Sequence& sequence);
  void Dequeue(const Sequence& sequence);
  // Raises a sequence by a level.
  void Promote(Sequence& sequence);
  // Returns what the admission of a sequence costs its caller.
  static int AdmissionCost(const Sequence& sequence);
  // Notes that the sequence begins to wait, or that it does not any more.
  void CountWaiting(const Sequence& sequence, int change);
  // Returns the rows of a sequence in queued_rows().
  static int QueuedRows(const Sequence& sequence);
  // Adds what a sequence is in waiting_tokens() and queued_rows() to them, or
  // subtracts it with a `change` of -1.
  void CountRows(const Sequence& sequence, int change);
  // Counts the rows of a sequence anew at its end: whoever changes `state`,
  // `tokens`, `next_position` or `cached` of a sequence that is counted has one
  // meanwhile.
  class Recount {
   public:
    Recount(Scheduler& scheduler, const Sequence& sequence)
        : scheduler_(scheduler), sequence_(sequence) {
      scheduler_.CountRows(sequence_, -1);
    }
    ~Recount() { scheduler_.CountRows(sequence_, 1); }
    Recount(const Recount&) = delete;
    Recount& operator=(const Recount&) = delete;

   private:
    Scheduler& scheduler_;
    const Sequence& sequence_;
  };
  // Feeds the last known token of ready sequences.
  void TakeReady(Step& step, int& budget);
  // Notes that the best waiting sequence has no room.
  void SetStuck(const Sequence& best);
  // Notes that the sequence does not wait any more, or not for room.
  void EndPatience(SequenceId id);
  // Takes a sequence's blocks and removes it from the step under construction.
  void Evict(const Rank& rank, Step& step, int& budget);
  // Allocates one more block for the sequence. Returns false if the sequence
  // itself was preempted.
  bool Grow(Sequence& sequence, Step& step, int& budget);
  // Returns the sequence to preempt for the growth of another.
  Rank Worst() const;
  bool Admit(Sequence& sequence, Step& step, int& budget);
  // Returns the sequences that may be preempted to admit the candidate, in that
  // order.
  std::vector<Rank> Victims(const Sequence& candidate, int blocks) const;
  // Adds those that have borrowed from the candidate.
  void AddBorrowers(const Sequence& candidate,
                    std::vector<Rank>& victims) const;
  // Lets those that have borrowed from a sequence keep their blocks.
  void Forgive(SequenceId lender);
  // What the best waiting sequence has or can take back: free, or lent by it.
  struct Loan {
    int blocks = 0, places = 0;
  };
  // One that overtakes it and makes this smaller has borrowed, even if it has
  // preempted others, too.
  Loan LoanOf(const Sequence& lender) const;
  // Adds those of callers that run several, for a caller that runs none.
  void AddSharers(const Sequence& candidate, int blocks,
                  std::vector<Rank>& victims) const;
  // Returns the number of blocks to leave free for the growth of others, so
  // that admitting a sequence does not cause a preemption right away.
  int Spare(bool others) const;
  // Returns the blocks that a sequence is expected to need besides those that
  // it has, or, if it has none, besides those for its known tokens.
  int Growth(const Sequence& sequence) const;
  // Returns true if `free` blocks suffice for the growth of the candidate and
  // of the unpaused running sequences without the victims.
  bool CanGrow(const Sequence& candidate, std::span<const Rank> victims,
               int free) const;
  // Returns true if `blocks` blocks, some of them found in the cache, fit
  // now...
  bool FitsNow(const Sequence& sequence, int blocks,
               const BlockTable& cached) const;
  // ... or would fit without the victims.
  bool FitsWithout(std::span<const Rank> victims, const Sequence& sequence,
                   int blocks, const BlockTable& cached) const;
  // Schedules rows of replaying sequences. Returns those that are through, and
  // that Enqueue lets continue: they get no other rows in the same step.
  std::vector<SequenceId> TakeReplays(Step& step, int& budget,
                                      const ReplayRooms& rooms);
  // Returns true if some waiting sequence may be admitted.
  bool MayAdmit() const;
  // Returns true if mixed_token_budget applies.
  bool IsMixed() const;
  // Admits sequences and schedules prompt rows.
  void TakePrompts(Step& step, int budget);
  // Returns the waiting sequences that may be admitted one after the other:
  // all, or those that may overtake `stuck`; no more than can run.
  std::vector<Rank> Candidates(const Sequence* stuck) const;
  // Returns the prefilling sequences and the candidates, by falling level and
  // in the order of each.
  std::vector<Rank> Prompts(std::span<const Rank> candidates) const;
  void TakeChunk(Sequence& sequence, Step& step, int rows);
  void Stop(Sequence& sequence, State state);

  const Options options_;
  BlockPool& pool_;
  const FindCached find_cached_;
  const FirstRow first_row_;
  AnswerLengths answers_;
  std::map<SequenceId, Sequence> sequences_;
  std::set<Rank> running_;
  // Unpaused sequences only:
  CallerQueue waiting_;
  std::set<Rank> replaying_, prefilling_;
  std::set<Rank> ready_;  // By turn.
  std::uint64_t added_ = 0, admitted_ = 0, turns_ = 0, steps_ = 0;
  bool best_gets_odd_row_ = true;
  // The best waiting sequence that could not be admitted.
  std::optional<SequenceId> stuck_;
  // The last one for which that was true, as long as it waits and its caller
  // runs no other of its level or above, and since when it was. Outlives
  // stuck_, which ends whenever another try may succeed.
  struct Patient {
    SequenceId id = 0;
    absl::Duration since;
  };
  std::optional<Patient> patient_;
  absl::Duration waits_out_;  // When `patience` of that one is over, again.
  std::array<int, 3> by_sign_ = {};
  std::map<int, int> by_priority_;  // The same, without zeros.
  std::int64_t waiting_tokens_ = 0, queued_rows_ = 0;
  absl::Duration now_;
  // When each sequence may gain a level next.
  std::set<std::pair<absl::Duration, SequenceId>> ageing_;
  std::map<int, int> priorities_;  // Sequences by priority.
};

}  // namespace apollo

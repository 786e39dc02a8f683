#pragma once

#include <absl/status/status.h>

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "engine/block_pool.h"

namespace apollo {

using SequenceId = std::uint64_t;

// Decides which rows make up each step of a dense worker, and who holds cache
// blocks: continuous batching with chunked prefill, priorities and preemption.
// A pure state machine: no clock, no threads, no tensors.
//
// A sequence is waiting (no blocks), then prefilling (its known tokens go
// through in chunks), then alternates between pending (its next token is being
// computed elsewhere) and ready (it has a token to feed), until removed.
// Sequences are ranked by priority, then by the order in which they were added.
//
// Each step takes the ready sequences first, one row each, then as many rows of
// prompts as the budgets leave: a long prompt delays no running sequence by
// more than one mixed budget's worth of rows. Prompts share these rows so that
// none waits for a much longer one (engine/prompt_shares.h states the rule and
// the bounds). Waiting sequences are admitted in the order of rank, none before
// a better one, once there are blocks for all their known tokens and rows for
// them or for one behind them.
//
// Blocks are taken as a sequence grows. If none is free, the running sequence
// of the worst rank is preempted: it loses its blocks and waits, and all its
// tokens, prompt and answer, are fed again later. To let in a waiting sequence,
// only sequences of a lower priority are preempted. As the best sequence can
// take blocks from all others, and none is added that would not fit alone,
// there is always one that goes on.
class Scheduler {
 public:
  struct Options {
    int token_budget = 512;  // Rows of a step; at least 1.
    // Rows of prompts in a step while at least four times as many sequences
    // wait for their next token as for their first; at least 1. The smaller,
    // the steadier tokens come, and the longer prompts take. (Where many are
    // yet to begin, as after a burst, it is better for all that they do soon.)
    int mixed_token_budget = 512;
    int max_running = 64;  // Sequences that hold blocks at once.
  };

  // Rows of one sequence in a step: tokens at positions first_position..
  // first_position + rows - 1.
  struct Slice {
    SequenceId sequence = 0;
    int first_position = 0;
    int rows = 0;
    int cached = 0;  // Of these, the first ones are in the blocks already.
    bool ends_prompt = false;  // The last row is that of the last known token.
  };

  struct Admission {
    SequenceId sequence = 0;
    int cached_tokens = 0;  // At its start, found in blocks.
  };

  // In the order in which things happen: sequences lose their blocks, others
  // are admitted (possibly the same ones), then the rows are run.
  struct Step {
    std::vector<SequenceId> preempted;
    std::vector<Admission> admitted;
    std::vector<Slice> slices;
  };

  // Blocks that already hold the start of a sequence's known tokens, in order
  // and at most as many as those tokens fill. Called when it might be admitted.
  using FindCached = std::function<BlockTable(SequenceId)>;

  // The pool must outlive the scheduler. `find_cached` may be null.
  Scheduler(const Options& options, BlockPool& pool,
            FindCached find_cached = nullptr);

  // Tokens of one sequence that the cache holds at most.
  std::int64_t capacity() const;

  // Whether a sequence of that length could ever run. FAILED_PRECONDITION with
  // the reason if not: waiting would not help.
  absl::Status CheckFits(std::int64_t max_tokens) const;

  // Adds a sequence. `id` is new; tokens >= 1 are known; max_tokens >= tokens
  // is the most positions it will ever need, and fits. A higher priority goes
  // first.
  void Add(SequenceId id, int tokens, int max_tokens, int priority = 0);

  // The next step. Its sequences are pending (or still prefilling) afterwards.
  // Empty if there is nothing to run now.
  Step NextStep();

  // Whether NextStep could return something. Not after an empty step, until
  // something changes.
  bool HasWork() const;

  // The next token of a pending sequence is known: it is ready.
  void TokenArrived(SequenceId id);

  // Takes the blocks of a running sequence, which then waits again or, if
  // `hold`, is left out until Resume.
  void Preempt(SequenceId id, bool hold);
  // Lets a sequence that is held wait again; others are ignored.
  void Resume(SequenceId id);

  // While a sequence is paused no rows of it are scheduled, nor is it admitted,
  // and others do not wait for it. It keeps its blocks, unless others need
  // them.
  void SetPaused(SequenceId id, bool paused);

  // Forgets a sequence in any state and releases its blocks. Unknown ids are
  // ignored.
  void Remove(SequenceId id);

  // Blocks of a sequence that runs. A block may be replaced by one with the
  // same content.
  BlockTable& blocks(SequenceId id) { return sequences_.at(id).blocks; }

  int running() const { return static_cast<int>(running_.size()); }
  // All others, held ones among them.
  int waiting() const {
    return static_cast<int>(sequences_.size() - running_.size());
  }

 private:
  // Smaller is better.
  struct Rank {
    int lowness = 0;           // The negative priority.
    std::uint64_t number = 0;  // In the order of adding.
    SequenceId id = 0;
    auto operator<=>(const Rank&) const = default;
  };
  enum class State { kWaiting, kHeld, kPrefilling, kPending, kReady };
  struct Sequence {
    Rank rank;
    State state = State::kWaiting;
    bool paused = false;
    int tokens = 0;  // Known ones.
    int max_tokens = 0;
    int next_position = 0;  // First position that was not scheduled yet.
    int cached = 0;         // Positions that were in the cache when admitted.
    Rank turn;              // Among the ready ones.
    BlockTable blocks;
  };

  bool IsRunning(const Sequence& sequence) const {
    return sequence.state != State::kWaiting && sequence.state != State::kHeld;
  }
  // Puts a sequence into the set of its state, unless it is paused; or takes it
  // out of all of them.
  void Enqueue(const Sequence& sequence);
  void Dequeue(const Sequence& sequence);
  // A sequence loses its blocks and leaves the step that is being made.
  void Evict(const Rank& rank, Step& step, int& budget);
  // Gives the sequence one more block. False if it had to give up its own.
  bool Grow(Sequence& sequence, Step& step, int& budget);
  bool Admit(Sequence& sequence, Step& step, int& budget);
  // Blocks to leave free for the growth of others, so that a newcomer is not
  // the cause of a preemption a moment later.
  int Spare(bool others) const;
  // Whether a sequence with that many blocks, some of them found, fits now...
  bool FitsNow(int blocks, const BlockTable& cached) const;
  // ... or would without those of a priority below that of `rank`, if any.
  bool FitsWithoutLower(const Rank& rank, int blocks,
                        const BlockTable& cached) const;
  // Whether few prompts keep many sequences from their next tokens.
  bool IsMixed() const;
  // Admits sequences and takes the rows of prompts.
  void TakePrompts(Step& step, int budget);
  // Those that are prefilling, and maybe those that wait, in the order of rank.
  std::vector<Rank> Prompts(bool with_waiting) const;
  void TakeChunk(Sequence& sequence, Step& step, int rows);
  void Stop(Sequence& sequence, State state);

  const Options options_;
  BlockPool& pool_;
  const FindCached find_cached_;
  std::map<SequenceId, Sequence> sequences_;
  std::set<Rank> running_;
  // Of those that are not paused:
  std::set<Rank> waiting_, prefilling_;
  std::set<Rank> ready_;  // By turn.
  std::uint64_t added_ = 0, turns_ = 0;
  bool best_gets_odd_row_ = true;
  bool stuck_ = false;  // The best waiting sequence could not be admitted.
};

}  // namespace apollo

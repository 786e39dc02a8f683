#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "engine/block_pool.h"

namespace apollo {

using SequenceId = std::uint64_t;

// Decides which rows make up each step of a dense worker: continuous batching
// with chunked prefill. A pure state machine: no clock, no threads, no tensors.
//
// A sequence is waiting (no cache blocks yet), then prefilling (its prompt goes
// through in chunks), then alternates between ready (it has a token to feed) and
// pending (its next token is being computed elsewhere), until removed. Blocks for
// its whole length are reserved when it is admitted, so that an admitted sequence
// never runs out.
//
// Each step takes all ready sequences first, one row each, then as many prompt
// rows as the token budget leaves, first come first served: a long prompt delays
// no running sequence by more than one budget's worth of rows.
class Scheduler {
 public:
  struct Options {
    int token_budget = 512;   // Rows of a step; at least 1.
    int max_running = 64;     // Sequences that hold blocks at once.
  };

  // Rows of one sequence in a step: tokens at positions first_position..
  // first_position + rows - 1.
  struct Slice {
    SequenceId sequence = 0;
    int first_position = 0;
    int rows = 0;
    bool ends_prompt = false;  // The last row is the last of the prompt or later.
  };

  // The pool must outlive the scheduler.
  Scheduler(const Options& options, BlockPool& pool);

  // Whether a sequence of that length could ever run. RESOURCE_EXHAUSTED with the
  // reason if not.
  absl::Status CheckFits(std::int64_t max_tokens) const;

  // Adds a sequence at the end of the queue. `id` is new; prompt_tokens >= 1;
  // max_tokens >= prompt_tokens is the most positions it will ever need.
  void Add(SequenceId id, int prompt_tokens, int max_tokens);

  // The next step, or an empty one if there is nothing to run now. Its sequences
  // are pending (or still prefilling) afterwards.
  std::vector<Slice> NextStep();

  // Whether NextStep would return rows.
  bool HasWork() const;

  // The next token of a pending sequence is known: it is ready.
  void TokenArrived(SequenceId id);

  // Forgets a sequence in any state and releases its blocks. Unknown ids are
  // ignored.
  void Remove(SequenceId id);

  // Blocks of a sequence that runs.
  const BlockTable& blocks(SequenceId id) const;

  int waiting() const { return static_cast<int>(waiting_.size()); }
  int running() const { return static_cast<int>(sequences_.size()) - waiting(); }

 private:
  struct Sequence {
    int prompt_tokens = 0;
    int max_tokens = 0;
    int next_position = 0;  // First position that was not scheduled yet.
    BlockTable blocks;
  };

  void Admit();

  const Options options_;
  BlockPool& pool_;
  std::map<SequenceId, Sequence> sequences_;
  std::deque<SequenceId> waiting_;
  std::deque<SequenceId> prefilling_;
  std::deque<SequenceId> ready_;
};

}  // namespace apollo

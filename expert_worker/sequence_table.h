#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/log_budget.h"
#include "engine/block_pool.h"
#include "engine/block_use.h"
#include "engine/sampler.h"
#include "expert_worker/expert_counters.h"
#include "expert_worker/sequence_trace.h"
#include "expert_worker/sparse_prefixes.h"
#include "link/frame.h"
#include "link/link_session.h"
#include "sequence/block_hash.h"
#include "serving/metrics.h"
#include "tracing/tracer.h"

namespace apollo {

// Sequences of different dense workers may have the same number.
using SequenceKey = std::pair<LinkId, std::uint64_t>;

// The sequences of an expert worker, each with its attempt, position and cache
// blocks.
//
// The cache may fill up, because dense workers do not know of each other. Then
// the sequence that was opened last is evicted, and its rows are refused with
// ABORTED until its dense worker begins a new attempt.
//
// Full blocks are shared (SparsePrefixes): a sequence may begin behind blocks
// that others have computed, and two that compute the same block end with one
// of them. A shared block is free only when the last of its sequences ends, and
// even then it is kept until others need the room. If a sequence begins behind
// blocks that are not here any more, its rows are refused with NOT_FOUND, until
// its dense worker begins a new attempt.
//
// Sequences in use (BeginUse), those of a batch that waits for a late peer, are
// not evicted. The rows of an older sequence wait for the blocks of younger
// ones in use, if they will be enough (MustWait); if not, it is evicted itself,
// while these go on. So of all sequences only the oldest is never evicted for
// others: all blocks that it does not have itself, shared ones among them, are
// kept for nobody or those of younger ones, so they are enough unless it takes
// more tokens than the whole cache holds.
//
// Single-threaded.
class SequenceTable {
 public:
  struct Sequence {
    std::uint32_t attempt = 0;
    SequenceStart start;
    BlockTable blocks;
    int next_position = 0;
    // Tokens of the answer; counted only where penalties need it.
    TokenCounts generated;
    std::uint64_t opened = 0;  // Number in the order of opening.
    // The hashes of its full blocks, as far as its dense worker has sent them.
    std::vector<BlockHash> hashes;
    // Positions before this one are computed, without a failure.
    int computed = 0;
    BlockUse use;  // Of the computed rows of the last block, if it is not full.
    // Of the blocks that it has begun behind: see SequenceOutput.
    std::vector<std::uint32_t> held_expert_use;  // [sparse layers, experts]
    std::vector<std::uint32_t> held_off_family;  // [sparse layers]
    // The sequence as a request; null if requests are not counted.
    std::unique_ptr<RequestMetrics::Request> request;
    std::unique_ptr<SequenceTrace> trace;  // Null: it is not traced.
  };

  // Unless `requests` is null, the end of each sequence is logged with its
  // request id, within a LogBudget, and counted there, too: with code OK
  // if their dense worker released them, ABORTED if they were evicted or
  // restarted, UNAVAILABLE if their dense worker was lost. `tracer` takes the
  // spans of traced sequences, with the same codes; it may be null. Without
  // `keep_prefixes` no blocks are shared. All arguments must outlive the table.
  SequenceTable(BlockPool& blocks, ExpertCounters& counters, const Clock& clock,
                RequestMetrics* requests, Tracer* tracer = nullptr,
                bool keep_prefixes = true)
      : blocks_(blocks),
        counters_(counters),
        clock_(clock),
        requests_(requests),
        tracer_(tracer),
        keep_prefixes_(keep_prefixes),
        log_budget_(clock),
        prefixes_(blocks) {}

  // Returns true if the rows must not be admitted yet: their sequence would be
  // evicted, although younger ones have the blocks, only because these are in
  // use.
  bool MustWait(LinkId from, const SequenceRows& rows) const;

  // Admits rows that are about to be computed: opens their sequence if they are
  // its first ones, extends its blocks, and moves its position past them. The
  // sequence must not be in use, and none that is loses its blocks. Errors:
  // - ABORTED: the sequence was or must be evicted for older ones.
  // - NOT_FOUND: the sequence begins behind blocks that are not here; see
  //   HeldTokens.
  // - FAILED_PRECONDITION: a wrong position or attempt, or more tokens than the
  //   whole cache holds.
  absl::Status Admit(LinkId from, const SequenceRows& rows);
  // Returns how many tokens of the beginning of a sequence were here when it
  // was refused with NOT_FOUND; 0 if it was not.
  int HeldTokens(const SequenceKey& key) const;

  // Notes that rows of a sequence have gone through all layers without a
  // failure, and how those in each block used the experts. Others may share its
  // full blocks from now on; a block of its table may be replaced. Ignores rows
  // of other attempts, and those behind rows that have failed.
  void Computed(const SequenceKey& key, const SequenceRows& rows,
                std::span<const BlockUse> use);

  // Returns the sequence if that attempt is here, or null. Valid until it is
  // closed.
  const Sequence* Find(const SequenceKey& key, std::uint32_t attempt) const;

  // Mark the time during which the blocks of sequences are in use, each as
  // often as it is named. Sequences that end meanwhile are closed by the last
  // EndUse.
  void BeginUse(std::span<const SequenceKey> keys);
  void EndUse(std::span<const SequenceKey> keys);
  bool InUse(const SequenceKey& key) const { return in_use_.contains(key); }
  // Returns true if some sequence of the dense worker is in use.
  bool AnyInUse(LinkId from) const {
    const auto it = in_use_.lower_bound({from, 0});
    return it != in_use_.end() && it->first.first == from;
  }

  // Note, for traces, that a batch with rows of these sequences, which are in
  // use, has gone through the layers; and that outputs of an expert came that
  // were missing since `sent`. A sequence may be named several times.
  void NoteComputed(std::span<const SequenceKey> keys, absl::Duration begun);
  void NoteCame(std::span<const SequenceKey> keys, absl::Duration sent);
  // Returns false if nobody needs such notes.
  bool traces() const { return traced_ > 0; }

  // Closes sequences that their dense worker released.
  void Release(LinkId from, const ReleaseSequences& release);
  // Closes all sequences of a dense worker that was lost.
  void DropLink(LinkId from);

  int size() const { return static_cast<int>(sequences_.size()); }
  // Sequences are numbered from 1 as they are opened. `newest` is the last
  // number given, `oldest` the lowest of those here (or the maximum value if
  // there are none).
  std::uint64_t newest() const { return opened_; }
  std::uint64_t oldest() const;

 private:
  using Sequences = std::map<SequenceKey, Sequence>;
  // An attempt whose rows are refused.
  struct Refusal {
    std::uint32_t attempt = 0;
    std::optional<int> held;  // With NOT_FOUND; unset: ABORTED.
  };

  static absl::Status Refused(const Refusal& refusal);
  // Opens a sequence, or returns why its rows are refused.
  absl::StatusOr<Sequences::iterator> Open(const SequenceKey& key,
                                           const SequenceRows& rows);
  // Gives a new sequence the blocks that it begins behind.
  void Share(const BlockTable& held, Sequence& sequence);
  // Returns the number of blocks that would be available if these ended.
  int AvailableWithout(std::span<const Sequence* const> ended) const;
  // Gives the sequence that many blocks, if necessary by evicting those that
  // were opened last. Returns false if this one is the last.
  bool MakeRoom(const SequenceKey& key, int blocks);
  void Evict(const SequenceKey& key);
  // Counts and logs the end of a sequence.
  void Count(const Sequence& sequence, absl::StatusCode code);
  void Close(Sequences::iterator it, absl::StatusCode code);
  // Closes it now, or at the last EndUse while its blocks are in use.
  void CloseLater(const SequenceKey& key, absl::StatusCode code);

  BlockPool& blocks_;
  ExpertCounters& counters_;
  const Clock& clock_;
  RequestMetrics* const requests_;
  Tracer* const tracer_;
  const bool keep_prefixes_;
  LogBudget log_budget_;
  SparsePrefixes prefixes_;
  Sequences sequences_;
  // Attempts that were evicted or not begun, until their dense worker releases
  // them.
  std::map<SequenceKey, Refusal> refused_;
  std::map<SequenceKey, int> in_use_;  // How often.
  std::map<SequenceKey, absl::StatusCode> close_after_use_;
  std::uint64_t opened_ = 0;
  int traced_ = 0;  // Sequences with a trace.
};

}  // namespace apollo

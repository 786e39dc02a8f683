#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "engine/block_pool.h"
#include "engine/sampler.h"
#include "expert_worker/expert_counters.h"
#include "link/frame.h"
#include "link/link_session.h"
#include "serving/metrics.h"

namespace apollo {

// Sequences of different dense workers may have the same number.
using SequenceKey = std::pair<LinkId, std::uint64_t>;

// The sequences of an expert worker: the attempt at each, how far it is, and
// its cache blocks.
//
// The cache may fill up, because dense workers do not know of each other. Then
// the sequence that was opened last makes room: it is evicted, and its rows are
// refused with ABORTED until its dense worker begins it again. The oldest
// always goes on. One thread.
class SequenceTable {
 public:
  struct Sequence {
    std::uint32_t attempt = 0;
    SequenceStart start;
    BlockTable blocks;
    int next_position = 0;
    // Tokens of the answer; counted only where penalties need it.
    TokenCounts generated;
    std::uint64_t opened = 0;  // In the order of opening.
    // The sequence as a request; none if those are not counted here.
    std::unique_ptr<RequestMetrics::Request> request;
  };

  // Sequences are counted in `requests`, too, unless it is null: with code OK
  // if their dense worker let go of them, ABORTED if they lost their place here
  // or began again, UNAVAILABLE if their dense worker was lost. All must
  // outlive the table.
  SequenceTable(BlockPool& blocks, ExpertCounters& counters, const Clock& clock,
                RequestMetrics* requests)
      : blocks_(blocks),
        counters_(counters),
        clock_(clock),
        requests_(requests) {}

  // Gives rows that are about to be computed their place: opens their sequence
  // at the first ones, extends its blocks, and moves its position behind them.
  // Not between BeginUse and EndUse.
  // ABORTED: made, or has to make, room for older sequences.
  // FAILED_PRECONDITION: not the position or attempt that is here, or more than
  // the whole cache holds.
  absl::Status Admit(LinkId from, const SequenceRows& rows);

  // The sequence, if that attempt at it is here; valid until it is gone.
  const Sequence* Find(const SequenceKey& key, std::uint32_t attempt) const;

  // Between the two, blocks are in use: sequences that are over stay until the
  // end.
  void BeginUse() { in_use_ = true; }
  void EndUse();

  // Its dense worker lets go of these.
  void Release(LinkId from, const ReleaseSequences& release);
  // A dense worker was lost, and its sequences with it.
  void DropLink(LinkId from);

  int size() const { return static_cast<int>(sequences_.size()); }
  // Sequences are numbered as they are opened, from 1. The last number that was
  // given, and the lowest of those here (or the largest number there is).
  std::uint64_t newest() const { return opened_; }
  std::uint64_t oldest() const;

 private:
  using Sequences = std::map<SequenceKey, Sequence>;

  Sequences::iterator Open(const SequenceKey& key, const SequenceRows& rows);
  // Gives the sequence that many blocks. Where none are free, those that were
  // opened last lose theirs; false if this one is the last.
  bool MakeRoom(const SequenceKey& key, int blocks);
  void Evict(const SequenceKey& key);
  void Close(Sequences::iterator it, absl::StatusCode code);
  // Closes it, or sees to that at EndUse.
  void CloseLater(const SequenceKey& key, absl::StatusCode code);

  BlockPool& blocks_;
  ExpertCounters& counters_;
  const Clock& clock_;
  RequestMetrics* const requests_;
  Sequences sequences_;
  // Attempts that lost their blocks, until their dense worker has let go of
  // them.
  std::map<SequenceKey, std::uint32_t> evicted_;
  bool in_use_ = false;
  std::vector<std::pair<SequenceKey, absl::StatusCode>> close_after_use_;
  std::uint64_t opened_ = 0;
};

}  // namespace apollo

#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "engine/expert_stage.h"
#include "expert_worker/expert_counters.h"
#include "expert_worker/expert_residence.h"
#include "expert_worker/guest_queue.h"
#include "expert_worker/peer_exchange.h"
#include "expert_worker/placement_control.h"
#include "expert_worker/placement_file.h"
#include "expert_worker/running_batch.h"
#include "expert_worker/sequence_table.h"
#include "expert_worker/step_queue.h"
#include "link/link_session.h"
#include "link/look_watch.h"
#include "model/language/families.h"
#include "model/language/language_labels.h"
#include "serving/metrics.h"
#include "tracing/tracer.h"

namespace apollo {

// An expert worker as an event-driven state machine. It merges the waiting
// steps of all dense workers into one batch and runs it through the sparse
// layers. It sends rows for experts that are not in memory here to a peer that
// has them, or has the expert loaded, computes rows that peers send (guests),
// and answers.
//
// Its parts:
// - StepQueue: steps that wait for a batch;
// - SequenceTable: sequences, and evictions when the cache is full;
// - RunningBatch: the steps that go through the layers together;
// - PeerExchange: rows for experts that are absent, and who computes them;
// - GuestQueue: rows of peers, and those that waited for a load;
// - ExpertResidence: the experts in memory, and their loads;
// - PlacementControl: which experts those are to be.
//
// Work is done in pieces: one layer of a batch, together with the guests of
// that layer, or guests of one layer alone. Guests wait for at most one piece
// of a batch, and a batch for at most one piece of guests. While a batch waits
// for a peer or a load, guests continue, so no two workers can deadlock.
// Experts enter and leave the stage between two pieces.
//
// Usually there is one batch: one that waits for a peer has its answer soon. If
// the answer is late (PeerExchange::IsLate), the sequences that wait for it are
// split off, and the others go on; then further steps begin, but for rows of
// sequences that are in a batch, or that need blocks of younger ones in a
// batch. The oldest batch that does not wait goes on first. There are at most
// kMostBatches.
//
// Rows at a peer that is lost, or silent for longer than `lease`, go to another
// holder, or are computed here. A peer that keeps its links but does not answer
// delays a batch for at most `answer_timeout`, if nobody else has the expert.
// Then the rows that wait for it fail, and it gets no others until its engine
// reports on a new link.
//
// Single-threaded. The stage never blocks the thread: its functions may
// complete later, in the same thread, and events are handled meanwhile. Uses no
// gRPC, and reads time only from the given clock.
class ExpertCore {
 public:
  struct Options {
    absl::Duration answer_timeout = absl::Seconds(10);
    absl::Duration lease = absl::Milliseconds(300);
    absl::Duration silent_after = absl::Seconds(1);
    // The constant part of this worker's description.
    WorkerInfo self = {};
    // Labels under which routing is counted.
    LanguageLabels languages = LanguageLabels(FamilyTable::Paper());
    // Metrics in which sequences count as requests; may be null.
    RequestMetrics* requests = nullptr;
    Tracer* tracer = nullptr;  // Null: sequences are not traced.
    // Sequences share the blocks of equal beginnings.
    bool prefix_caching = true;
    ExpertResidence::Options residence = {};
    PlacementControl::Options placement = {};
    // Returns when the worker's certificate expires, in seconds since 1970.
    // Never blocks. Null: it has none.
    std::function<std::int64_t()> certificate_expires = nullptr;
  };

  // `clock` and the options' `requests` and `tracer` must outlive the core.
  ExpertCore(Options options, std::unique_ptr<ExpertStage> stage,
             const Clock& clock = Clock::Real());
  ~ExpertCore();

  void LinkUp(LinkId id, const WorkerInfo& peer, std::shared_ptr<Link> link);
  void LinkFrame(LinkId id, Frame frame);
  // Handles a piece of a large frame as a sign of life.
  void LinkPiece(LinkId id) { exchange_.HeardPiece(id); }
  // Handles a peer that has left the list of workers, or is listed again. A
  // leaving peer counts as out of reach. Its link is closed when all current
  // sequences, which may need its experts, have ended.
  void LinkLeaving(LinkId id, bool leaving);
  void LinkDown(LinkId id);
  // Checks for peers that do not answer, and decides on the placement. Call it
  // several times a second, more often than a lease ends. Frames that arrived
  // before `now` must have been passed to LinkFrame. `report`: also tell the
  // neighbours the load. Without attention for the lease no peer is found
  // silent, and without that for the time-out none is given up: see LookWatch.
  void Tick(absl::Duration now, bool report = true,
            Attentiveness attention = {});

  // Takes the result of a load that the residence began.
  void Loaded(LayerExpert which,
              absl::StatusOr<std::unique_ptr<ExpertWeights>> weights);
  // Takes a new placement file.
  void TakePlacement(Placement placement);

  // Tells all neighbours that this worker is about to stop: dense workers give
  // it no new sequences, and its experts do not count for new sequences
  // elsewhere. Its own sequences continue, and so does its work for peers,
  // whose sequences may need it. With `hand_over`, dense workers move its
  // sequences to other workers, as far as those can take them.
  void Drain(bool hand_over);

  // Returns true if Advance would do something.
  bool HasWork() const { return NextPiece().piece != Piece::kNone; }
  // Does the next piece of work.
  void Advance();
  // Returns true while the stage has not completed its last piece.
  bool AtWork() const { return at_work_; }

  // Any thread.
  const ExpertCounters& counters() const { return counters_; }

  // Sequences that hold cache blocks.
  int sequences() const { return sequences_.size(); }
  // Returns true if every expert of every sparse layer is resident here or on
  // a peer that is not draining, or can be loaded.
  bool ReachesAll() const;
  // After Drain: returns true if peers have room for experts that this worker
  // alone holds, so that they will load some.
  bool PeersTakeOver() const {
    return draining_ &&
           control_.PeersTakeOver(exchange_.Holders(/*with_rows=*/false));
  }
  // Returns true if some peer has sequences.
  bool PeersRun() const { return exchange_.PeersRun(); }

  // Experts that stay in memory.
  const LayerExperts& resident() const { return residence_.resident(); }

  // Free cache blocks.
  int free_blocks() { return stage_->blocks().available(); }

 private:
  enum class Piece {
    kNone,
    kMove,
    kBegin,
    kLayer,
    kResume,
    kSplit,
    kFinish,
    kGuests
  };
  // A linked worker: a dense worker, or a peer, which is also in exchange_.
  struct Neighbour {
    WorkerInfo info;
    std::shared_ptr<Link> link;
    std::uint64_t placement = 0;  // The number of the last one sent to it.
  };
  // A piece, and the batch that it belongs to, if any.
  struct Next {
    Piece piece = Piece::kNone;
    RunningBatch* batch = nullptr;
  };
  static constexpr std::size_t kMostBatches = 4;

  // NextPiece returns the next piece, NextOfBatches the next one of the batches
  // alone, NextOf that of one batch. GuestsGoFirst returns true if guests
  // precede that one.
  Next NextPiece() const;
  Next NextOfBatches() const;
  Piece NextOf(const RunningBatch& batch) const;
  bool GuestsGoFirst(const Next& next) const;

  // Returns true if rows wait whose outputs are late.
  bool IsLate(const RunningBatch& batch) const;
  // Returns the slices that wait for late outputs and must be split off;
  // nothing if others wait, too, or no slice could go on.
  std::vector<int> LateSlices(const RunningBatch& batch) const;
  // Returns true if rows must not join the next batch. Workers that take no
  // parts need the answers in the order of their steps.
  bool MustWait(LinkId from, const SequenceRows& rows) const {
    if (!neighbours_.at(from).info.takes_parts) {
      return sequences_.AnyInUse(from);
    }
    return sequences_.InUse({from, rows.sequence}) ||
           sequences_.MustWait(from, rows);
  }

  // Batches: expert_core_batches.cc.
  void BeginBatch();
  // Lets one expert enter or leave the stage, or begins a load.
  void MoveExpert();
  void RunLayer(RunningBatch& batch);
  void SendAway(RunningBatch& batch, std::vector<AbsentRows> absent);
  // Returns the outputs of rows that were away, or fails their slices.
  std::optional<Rows> Combine(RunningBatch& batch, RunningBatch::Away away);
  void Resume(RunningBatch& batch);
  void Split(RunningBatch& batch);
  void FinishBatch(RunningBatch& batch);
  void AnswerBatch(RunningBatch& batch, std::vector<SliceOutcome> outcomes);

  // Computes rows by an expert of this worker, once it is in memory.
  void ComputeHere(std::uint64_t number, LayerExpert which, Rows rows);

  // Calls `use` with the facts of the moment.
  template <typename Use>
  auto WithFacts(Use use) const;

  // Lets rows that wait for loads go elsewhere if a load does not end.
  void GiveUpOnLoads(absl::Duration now);

  // Takes the guests of the next piece; their outputs go to AnswerGuests.
  std::vector<GuestRows> TakeGuests(int layer);
  void RunGuests();
  void AnswerGuests(std::vector<Rows> outputs);

  // Handles a frame. The link is closed if this fails.
  absl::Status Take(LinkId from, Frame frame);
  absl::Status AddGuest(LinkId from, Frame frame);
  void TakeInfo(LinkId from, const WorkerInfo& info);

  // Returns, by layer, the experts resident here or on peers that are not
  // draining, or all of them if this worker can load each. The last result is
  // in info_: SendInfo follows whatever changes it.
  LayerExperts FindReached() const;
  // Sends this worker's description to all neighbours if it has changed. The
  // placement, which may be much longer than the rest, goes only to those that
  // do not have it yet, or need it from time to time.
  // Changes that affect new sequences are sent at once. Load is sent only by
  // Tick; otherwise two busy workers would answer each other's reports
  // endlessly.
  void SendInfo(bool with_load = false);
  void SendTo(Neighbour& neighbour);
  // Updates the gauges of the queue and the cache.
  void CountLoad();

  // Constant after construction.
  const Options options_;
  const Clock& clock_;
  const std::unique_ptr<ExpertStage> stage_;

  // Owned by the thread.
  ExpertCounters counters_;
  ExpertResidence residence_;
  PlacementControl control_;
  std::map<LinkId, Neighbour> neighbours_;
  SequenceTable sequences_;
  StepQueue waiting_;
  PeerExchange exchange_;
  GuestQueue guests_;
  // Rows of tickets that wait for an expert to come.
  std::map<LayerExpert, std::vector<std::pair<std::uint64_t, Rows>>> to_come_;
  std::vector<std::unique_ptr<RunningBatch>> batches_;  // The oldest first.
  std::vector<Guest> served_;  // Guests whose rows are in the stage.
  bool at_work_ = false;       // The stage has not completed the last call.
  bool guests_turn_ = false;   // A batch had the last piece.
  bool draining_ = false;
  bool hand_over_ = false;
  bool took_work_ = false;    // Since the last report of the load.
  WorkerInfo info_;           // As last sent.
  absl::Duration described_;  // The time of its placement report.
  // That report, counted by its changes, and the time of the last change.
  // Without one it is sent again from time to time.
  std::uint64_t placement_ = 1;
  absl::Duration placed_;
};

}  // namespace apollo

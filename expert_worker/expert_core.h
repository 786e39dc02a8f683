#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "common/clock.h"
#include "engine/expert_stage.h"
#include "expert_worker/expert_batch.h"
#include "expert_worker/expert_counters.h"
#include "expert_worker/guest_queue.h"
#include "expert_worker/peer_exchange.h"
#include "expert_worker/sequence_table.h"
#include "expert_worker/step_queue.h"
#include "link/link_session.h"
#include "model/language/families.h"
#include "model/language/language_labels.h"
#include "serving/metrics.h"

namespace apollo {

// What an expert worker does, as a state machine driven by events: merges the
// steps that wait from all dense workers into one batch, takes it through the
// sparse layers, sends rows of experts that live elsewhere to the worker that
// has them, computes rows that others send, and answers.
//
// Its parts:
// - StepQueue: steps that wait for a batch;
// - SequenceTable: sequences, and who makes room when the cache is full;
// - ExpertBatch: the steps that go through the layers together;
// - PeerExchange: rows that are computed elsewhere;
// - GuestQueue: rows of peers that are computed here.
//
// Guests wait for one piece of the batch's work at most, and the batch for one
// piece of theirs: a piece is one layer, with the guests of that layer among
// its rows, or guests of one layer alone. While a batch waits for a peer,
// guests go on: no two workers can wait for each other.
//
// A peer that keeps its links but does not answer holds up a batch for
// `answer_timeout` at most; then the rows that wait for it fail, and it gets no
// others until its engine speaks on a new link.
//
// One thread, which the stage never blocks: between the call of a function of
// the stage and its completion, which may come later in the same thread,
// events are handled as ever. No gRPC, and no time but the clock that is given.
class ExpertCore {
 public:
  struct Options {
    absl::Duration answer_timeout = absl::Seconds(10);
    // Who this worker is, and what of it never changes.
    WorkerInfo self = {};
    // The names under which routing is counted.
    LanguageLabels languages = LanguageLabels(FamilyTable::Paper());
    // Where sequences count as requests; null: nowhere.
    RequestMetrics* requests = nullptr;
  };

  // `clock` and the options' `requests` must outlive the core.
  ExpertCore(Options options, std::unique_ptr<ExpertStage> stage,
             const Clock& clock = Clock::Real());
  ~ExpertCore();

  void LinkUp(LinkId id, const WorkerInfo& peer, std::shared_ptr<Link> link);
  void LinkFrame(LinkId id, Frame frame);
  // The peer has left the list of workers, or is on it again. It counts as out
  // of reach, and its link is closed once the sequences that are here now,
  // which may need its experts, are over.
  void LinkLeaving(LinkId id, bool leaving);
  void LinkDown(LinkId id);
  // Looks after peers that do not answer; call it several times a second.
  // Frames that came before `now` have been passed to LinkFrame.
  void Tick(absl::Duration now);

  // Tells all that this worker is about to stop: dense workers give it no new
  // sequences, and peers place none that need it. What it has goes on, and so
  // does what it computes for peers, whose sequences may need it.
  void Drain();

  // Whether Advance would do something.
  bool HasWork() const { return NextPiece() != Piece::kNone; }
  // Does the next piece of work.
  void Advance();
  // Whether the stage has not completed its last piece yet.
  bool AtWork() const { return at_work_; }
  // Whether something is under way or waits here, perhaps for peers.
  bool Busy() const {
    return at_work_ || batch_ != nullptr || !waiting_.empty() ||
           !guests_.empty();
  }

  // Any thread.
  const ExpertCounters& counters() const { return counters_; }

  // Sequences that hold cache blocks.
  int sequences() const { return sequences_.size(); }
  // Returns the experts resident here or on peers that are not about to stop,
  // by layer.
  LayerExperts Reaches() const;
  // Returns true if that is every expert of every sparse layer.
  bool ReachesAll() const;
  // True if some peer has sequences.
  bool PeersRun() const { return exchange_.PeersRun(); }

  // Cache blocks free.
  int free_blocks() { return stage_->blocks().available(); }

 private:
  enum class Piece { kNone, kBegin, kLayer, kResume, kFinish, kGuests };
  // What is linked: dense workers, and peers, which the exchange knows too.
  struct Neighbour {
    WorkerInfo info;
    std::shared_ptr<Link> link;
  };
  struct Batch;

  // The piece that comes next; of the batch alone; and of guests beside it.
  Piece NextPiece() const;
  Piece NextOfBatch() const;
  bool GuestsGoFirst(Piece of_batch) const;

  void BeginBatch();
  void RunLayer();
  void SendAway(std::vector<AbsentRows> absent);
  void Resume();
  void FinishBatch();
  void AnswerBatch(std::vector<SliceOutcome> outcomes);

  // Takes the guests of the next piece; their outputs go to AnswerGuests.
  std::vector<GuestRows> TakeGuests(int layer);
  void RunGuests();
  void AnswerGuests(std::vector<Rows> outputs);

  // Takes what a peer sent. Not OK: the link is closed.
  absl::Status Take(LinkId from, Frame frame);
  absl::Status AddGuest(LinkId from, Frame frame);

  // Tells all neighbours how this worker is, if that has changed: at once what
  // decides on new sequences, and only with Tick how busy it is, so that two
  // busy workers that hear of each other do not answer with ever more news.
  void SendInfo(bool with_load = false);

  // Constant after construction.
  const Options options_;
  const Clock& clock_;
  const std::unique_ptr<ExpertStage> stage_;

  // Owned by the thread.
  ExpertCounters counters_;
  std::map<LinkId, Neighbour> neighbours_;
  SequenceTable sequences_;
  StepQueue waiting_;
  PeerExchange exchange_;
  GuestQueue guests_;
  std::unique_ptr<Batch> batch_;
  std::vector<Guest> served_;  // Their rows are in the stage.
  bool at_work_ = false;       // The stage has not completed the last call.
  bool guests_turn_ = false;   // The batch had the last piece.
  bool draining_ = false;
  WorkerInfo info_;  // As last said.
};

}  // namespace apollo

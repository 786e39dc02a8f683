#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "common/layer_experts.h"
#include "expert_worker/expert_demand.h"
#include "expert_worker/placement_state.h"
#include "tools/simulate/board.h"
#include "tools/simulate/event_queue.h"
#include "tools/simulate/machine.h"
#include "tools/simulate/messages.h"
#include "tools/simulate/network.h"
#include "tools/simulate/peer_loads.h"
#include "tools/simulate/random.h"
#include "tools/simulate/residence.h"
#include "tools/simulate/scenario.h"
#include "tools/simulate/stats.h"

namespace apollo::simulate {

// An expert worker, with the pieces of work of expert_worker/expert_core.h: the
// waiting steps of all dense workers become a batch; a layer of it sends the
// rows of absent experts to holders, takes along the guests of that layer, and
// is followed by a piece of guests. Which experts it has is decided by
// expert_worker/placement_policy.h, where rows of absent ones are computed by
// expert_worker/dispatch_policy.h. All references must outlive it.
// Single-threaded.
class ExpertNode {
 public:
  ExpertNode(int index, const Scenario& scenario, EventQueue& events,
             Machine& machine, Board& board, Network& network, Stats& stats);

  void TakeStep(StepPart part);
  void TakeRelease(std::uint64_t sequence);
  void TakeGuests(Guests guests);
  void TakeOutputs(const Guests& guests);
  // Sends the rows that a lost worker had to another holder, or fails them.
  void LosePeer(int peer);
  // Publishes its load and experts on the board.
  void Report();
  // Loses everything. Events of the past have no effect any more.
  void Stop();
  // Begins with these experts in all layers.
  void Start(const std::set<int>& experts);

  // Makes the next move of placement `auto`, if there is one to make.
  void Decide();

  bool up() const { return up_; }
  // Changes when the worker is lost.
  std::uint64_t life() const { return life_; }
  Time worked() const { return worked_; }

 private:
  struct Away {  // Rows that a peer computes.
    int expert = 0;
    int rows = 0;
    int peer = 0;             // This worker: they wait for the expert.
    std::uint64_t given = 0;  // See PeerLoads::Give.
  };
  struct Batch {
    std::vector<StepPart> parts;
    int rows = 0;
    int layer = 0;
    std::vector<int> rows_of;  // By expert, of the current layer.
    std::vector<Away> away;
    bool computed = false;  // The resident experts of the current layer.
  };

  void Advance();
  void BeginBatch();
  void RunLayer();
  void RunExperts();
  void EndLayer();
  void FinishBatch();
  void RunGuests();
  void GuestsDone();
  // Draws the experts of the rows of a batch.
  void Route(Batch& batch);
  void Draw(int family, std::vector<int>& rows_of);
  // Gives rows of an absent expert to a peer or, once it is loaded, to this
  // worker.
  void SendAway(int expert, int rows);
  // Handles the arrival of an expert that rows wait for.
  void Came(LayerExpert which);
  // Counts rows for the decisions of `auto`.
  void Count(LayerExpert which, const ExpertDemand::Use& rows);
  // Adds what peers need to know for their decisions.
  void ReportUse(Board::Report& report) const;
  // Returns what the policy of `auto` decides by.
  PlacementState StateOfPlacement() const;
  // Returns true if the rows of an expert can be computed here or elsewhere.
  bool Reaches(LayerExpert which) const;
  // Takes the oldest guests of a layer from the queue, and returns the time of
  // their experts together with those of `rows_of`.
  Time ExpertTime(int layer, std::vector<int> rows_of);
  void AnswerGuests();
  // Runs work, and then `then`, unless the worker was lost meanwhile.
  void Work(Time work, void (ExpertNode::*then)());

  const int index_;
  const Scenario& scenario_;
  EventQueue& events_;
  Machine& machine_;
  Board& board_;
  Network& network_;
  Stats& stats_;
  Random random_;
  bool up_ = true;
  bool at_work_ = false;
  bool guests_turn_ = false;
  std::uint64_t life_ = 0;
  std::uint64_t batches_ = 0;
  Residence residence_;
  ExpertDemand demand_;
  Time last_move_ = 0;     // Or its start.
  Time orphans_from_ = 0;  // See PlacementState.
  int most_resident_ = 0;
  std::deque<Time> moves_;  // In the last minute.
  std::deque<StepPart> waiting_;
  std::deque<Guests> guests_;
  std::vector<Guests> served_;
  std::unique_ptr<Batch> batch_;
  std::unordered_map<std::uint64_t, int> sequences_;  // And their attempts.
  PeerLoads loads_;
  std::vector<int> order_;  // Scratch memory of Draw.
  Time worked_ = 0;
};

}  // namespace apollo::simulate

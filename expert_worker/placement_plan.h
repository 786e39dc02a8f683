#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/layer_experts.h"
#include "expert_worker/placement_state.h"

namespace apollo {

// The moves of all workers that would level the load of the holders of experts,
// as one of the workers sees it. All that move make the same plan from the same
// descriptions, and each makes its own move of it: so no more of them load an
// expert than it needs.
//
// The load of a holder of an expert is the demand for the expert, which is the
// rows of all workers' sequences that needed it, divided by the number of its
// holders. A worker loads an expert and drops another if the holders of the
// first have more to do than those of the second will have then:
//
//   demand / holders  >  hysteresis * demand of the other / (its holders - 1)
//
// A worker that takes an expert takes it in all layers in which that holds:
// then sequences of a family find all that they need in one place, and a surge
// is over before the last of many layers has its turn.
//
// Each such move lowers the larger of both loads. So with a constant demand the
// sum of demand * (1 + 1/2 + ... + 1/(holders - 1)) over all experts grows with
// each move, and the moves end; where they end is the apportionment of replicas
// to experts by the method of Adams, within the hysteresis.
//
// Demand counts in one measure, that of the last minutes or seconds. A drop
// counts the larger of both, so a lull drops nothing, and neither measure
// reverses a move that the other one has asked for.
//
// The time is about that of sorting the residents of all workers, so that
// models with thousands of experts over all layers need no bound.
//
// Workers that are expected back count as holders for the load: a restart is no
// reason to move anything. But nobody drops an expert because they have it.
//
// Single-threaded. The state and the rules must outlive the plan.
class PlacementPlan {
 public:
  enum class Measure { kLately, kRecent };

  PlacementPlan(const PlacementState& state, const PlacementRules& rules,
                Measure measure);

  // Returns the move of the worker that decides, if the plan has one. Changes
  // the plan: call it once, and last.
  std::optional<PlacementMove> OwnMove();

  // An expert to drop, and the load of each of its holders then.
  struct Drop {
    LayerExpert which;
    double load = 0;
  };
  // Returns what the worker that decides gives up first; nullopt if it must
  // keep all.
  std::optional<Drop> CheapestDrop() const;

  // The room of a worker for experts that nobody holds.
  struct Room {
    const std::string* name = nullptr;
    bool loads_fail = false;
    int free = 0;             // Experts without a drop; negative: too many.
    int drops = 0;            // Experts that it may give up.
    std::vector<int> layers;  // In which it holds each expert.
  };
  // Returns those of the workers that take over such experts, the one that
  // decides first.
  std::vector<Room> Rooms() const;

  // Returns true if a worker that stays holds the expert.
  bool IsHeld(LayerExpert which) const { return At(which).holders > 0; }
  // Returns true if the cluster can do without a holder for a while: one is
  // expected back, and all workers that stay can compute the expert meanwhile.
  bool CanWaitFor(LayerExpert which) const;

 private:
  // What is known of an expert.
  struct Expert {
    double wanted = 0;  // Demand, for a load.
    double kept = 0;    // The same, for a drop.
    int holders = 0;    // Workers that stay.
    int expected = 0;   // Others that are expected back.
    int first = -1;     // Of them, the first in rendezvous order.
  };
  struct Worker {
    const std::string* name = nullptr;
    bool stays = true;
    bool moves = false;
    bool assigned = false;  // It has its move.
    bool takes_orphans = false;
    bool loads_fail = false;
    int most_resident = 0;
    std::set<LayerExpert> resident = {};
    std::vector<int> layers = {};  // In which it holds each expert.
    // What it may give up, the best first, and the least load of them.
    std::vector<Drop> drops = {};
    double least_drop = 0;
  };
  struct Choice {
    std::size_t worker = 0;
    std::optional<Drop> drop = {};
  };

  void AddWorker(const std::string& name, std::set<LayerExpert> resident,
                 const PlacementPeer* peer);
  void AddDemand();
  // Returns the rows of the sequences of the worker that decides.
  ReportedRows OwnRows(LayerExpert which, const ReportedRows& measured) const;
  // Returns true if the model has it: descriptions of peers may be wrong.
  bool Knows(LayerExpert which) const {
    return which.layer >= state_.first_layer &&
           which.layer < state_.end_layer && which.expert >= 0 &&
           which.expert < state_.num_experts;
  }
  std::size_t Index(LayerExpert which) const;
  const Expert& At(LayerExpert which) const { return experts_[Index(which)]; }
  double Load(const Expert& expert) const {
    return expert.wanted / (expert.holders + expert.expected);
  }
  // Returns the number of layers in which the worker holds the expert.
  static int Layers(const Worker& worker, int expert) {
    return worker.layers[static_cast<std::size_t>(expert)];
  }
  // Sets what a worker may give up.
  void ListDrops(std::size_t worker);
  // Returns what the worker gives up for an expert whose holders have `load`;
  // nullopt if nothing is worth so little.
  std::optional<Drop> DropFor(std::size_t worker, double load) const;
  // Puts an expert into the queue, unless its holders have little to do.
  void Enqueue(std::size_t index);
  // Takes the expert whose holders have the most to do out of the queue; the
  // first of equals.
  std::optional<LayerExpert> TakeBusiest();
  // Returns who should take it.
  std::optional<Choice> Taker(LayerExpert which) const;
  // Makes the move in the plan.
  void Apply(LayerExpert which, const Choice& choice);
  // Makes the move of the same expert in the other layers that ask for it, and
  // returns it.
  std::vector<PlacementSwap> ApplyFurther(LayerExpert which,
                                          std::size_t worker);
  // Returns true if the worker has room without a drop.
  static bool HasRoom(const Worker& worker) {
    return static_cast<int>(worker.resident.size()) < worker.most_resident;
  }
  std::string Reason(LayerExpert which, const Choice& choice) const;

  const PlacementState& state_;
  const PlacementRules& rules_;
  const Measure measure_;
  const double least_rows_;
  std::vector<Expert> experts_;  // By layer, then number.
  std::vector<Worker> workers_;  // The one that decides first.
  // Experts to move, as (load, -index): entries with an old load are skipped.
  std::priority_queue<std::pair<double, std::int64_t>> queue_;
};

}  // namespace apollo

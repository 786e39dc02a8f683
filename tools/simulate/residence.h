#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "common/layer_experts.h"
#include "expert_worker/placement_policy.h"
#include "tools/simulate/board.h"
#include "tools/simulate/event_queue.h"
#include "tools/simulate/scenario.h"
#include "tools/simulate/stats.h"

namespace apollo::simulate {

// The experts that an expert worker has in memory, as in
// expert_worker/expert_residence.h: resident ones, and those on standby, which
// come because rows need them. One is loaded at a time; rows come first.
// Layers count from 0. All references must outlive it. Single-threaded.
class Residence {
 public:
  // `changed` is called when the resident experts have changed, `came` when an
  // expert that rows wait for is in memory.
  struct Events {
    std::function<void()> changed;
    std::function<void(LayerExpert)> came;
  };
  Residence(int worker, const Scenario& scenario, EventQueue& events,
            const Board& board, Stats& stats, Events calls);

  // Begins with these experts in all layers.
  void Start(const std::set<int>& experts);
  // Loses everything; what is being loaded never comes.
  void Stop();

  const std::set<LayerExpert>& resident() const { return resident_; }
  // Returns true if the expert is resident or on standby.
  bool Has(LayerExpert which) const;
  // Notes a use of an expert.
  void Use(LayerExpert which);
  // Returns the bytes to load before the expert can run here, in terms of
  // DispatchCosts; nullopt if it cannot.
  std::optional<std::int64_t> BytesToLoad(LayerExpert which) const;
  // Loads an expert with BytesToLoad, for rows.
  void Want(LayerExpert which);

  bool loading() const { return loading_.has_value() || move_.has_value(); }
  // Makes a move of the placement policy. Nothing may be loading.
  void Make(const PlacementMove& move);

 private:
  bool StandsBy(LayerExpert which) const;
  void Next();
  void Loaded(LayerExpert which);
  // Ends the move, whose expert is here.
  void Settle();
  // Puts an expert on standby, in the place of the one used longest ago.
  void Keep(LayerExpert which);

  const int worker_;
  const Scenario& scenario_;
  EventQueue& events_;
  const Board& board_;
  Stats& stats_;
  const Events calls_;
  const std::size_t room_;  // On standby, over all layers.
  std::uint64_t life_ = 0;
  std::set<LayerExpert> resident_;
  std::map<LayerExpert, Time> standby_;  // And their last use.
  std::deque<LayerExpert> wanted_;
  std::optional<LayerExpert> loading_;
  std::optional<PlacementMove> move_;
};

}  // namespace apollo::simulate

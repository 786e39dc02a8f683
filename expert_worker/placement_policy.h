#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/layer_experts.h"
#include "expert_worker/expert_demand.h"

namespace apollo {

// The decision which experts an expert worker holds (--placement=auto). Each
// worker decides for itself, from its own measurements and from what its peers
// say they hold: weights are read-only, so there is nothing to agree on. Pure:
// no threads, no clock, no state.

// A peer whose results have the same bits.
struct PlacementPeer {
  std::string name;
  LayerExperts resident;
  bool stays = true;  // Neither draining nor leaving.
};

// The state of the worker that decides.
struct PlacementState {
  absl::Duration now;
  absl::Duration last_move;  // Or its start.
  std::string name;          // Unique in the cluster.
  int first_layer = 0;       // The sparse layers: [first_layer, end_layer).
  int end_layer = 0;
  int num_experts = 0;
  std::set<LayerExpert> resident = {};
  int most_resident = 0;  // Number of experts, over all layers, in its memory.
  std::vector<PlacementPeer> peers = {};
  const ExpertDemand* demand = nullptr;  // Not null.
};

struct PlacementRules {
  // The time between two moves, and before the first.
  absl::Duration between_moves = absl::Seconds(30);
  // Rows, as ExpertDemand counts them, that a move must save at least.
  double least_rows = 100;
  // A loaded expert must be worth this many times the dropped one.
  double hysteresis = 1.5;
  // The worth of a guest's row: it could have gone to another holder.
  double guest_share = 0.5;
  // For moves during a surge: the time between two, and the rows of the last
  // seconds (ExpertDemand::Recent) that one must save at least. 300 are about
  // 20 rows a second.
  absl::Duration between_surge_moves = absl::Seconds(1);
  double surge_rows = 300;
};

// Load the one first, then drop the other. At least one is set.
struct PlacementMove {
  std::optional<LayerExpert> load = std::nullopt;
  std::optional<LayerExpert> drop = std::nullopt;
  std::string reason = {};  // For operators; one line.
};

// Returns the next move, if any:
// - Load the expert that the worker sends away most (or computes on standby),
//   or first one that no worker holds, if this worker is the first of all in
//   its rendezvous order.
// - Without room, drop the resident expert with the least use, if the load is
//   worth more by the hysteresis. Only one that another worker that stays
//   holds, too, and of which this worker is not the first holder in rendezvous
//   order: so two holders never drop the same expert at the same time.
// - With too many residents, drop such an expert without a load.
// - If there is nothing of that to do, or it is too early, but an expert is in
//   sudden demand: decide by the rows of the last seconds. The dropped expert
//   is then worth the rows of the last seconds or, if they are more, those that
//   it has on average in the same time. So replicas appear within seconds when
//   a family surges, and a lull moves nothing.
std::optional<PlacementMove> NextMove(const PlacementState& state,
                                      const PlacementRules& rules = {});

// Returns the rank of a worker for an expert; the highest is first. The same in
// all processes and versions (rendezvous hashing, Thaler and Ravishankar 1998,
// over FNV-1a and the finalizer of MurmurHash3).
std::uint64_t RendezvousRank(std::string_view worker, LayerExpert which);

// Returns the experts, the same in all layers, with which a worker of that name
// begins: the first `count` in the order of its ranks.
std::set<int> FirstExperts(std::string_view worker, int count, int num_experts);

}  // namespace apollo

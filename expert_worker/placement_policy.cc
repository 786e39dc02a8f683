#include "expert_worker/placement_policy.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <string>
#include <utility>

#include "expert_worker/placement_plan.h"

namespace apollo {
namespace {

std::string Name(LayerExpert which) {
  return absl::StrCat("expert ", which.expert, " of layer ", which.layer);
}

// Returns true if this worker precedes all others that stay in the rendezvous
// order of an expert.
bool IsFirst(const PlacementState& state, LayerExpert which) {
  const std::pair own(RendezvousRank(state.name, which), state.name);
  return std::none_of(
      state.peers.begin(), state.peers.end(), [&](const PlacementPeer& peer) {
        return peer.stays &&
               std::pair(RendezvousRank(peer.name, which), peer.name) > own;
      });
}

// Returns an expert that nobody holds and this worker must, other than those
// that are about to come.
std::optional<LayerExpert> Orphan(const PlacementState& state,
                                  const PlacementPlan& plan,
                                  const std::set<LayerExpert>& coming = {}) {
  for (int layer = state.first_layer; layer < state.end_layer; ++layer) {
    for (int expert = 0; expert < state.num_experts; ++expert) {
      const LayerExpert which = {layer, expert};
      if (!plan.IsHeld(which) && !coming.contains(which) &&
          IsFirst(state, which)) {
        return which;
      }
    }
  }
  return std::nullopt;
}

std::optional<PlacementMove> SteadyMove(const PlacementState& state,
                                        const PlacementRules& rules) {
  PlacementPlan plan(state, rules, PlacementPlan::Measure::kLately);
  const int resident = static_cast<int>(state.resident.size());
  if (resident > state.most_resident) {
    const auto drop = plan.CheapestDrop();
    if (!drop) return std::nullopt;
    return PlacementMove{
        {},
        drop->which,
        absl::StrCat(Name(drop->which),
                     " dropped: too many experts for the memory")};
  }
  if (const std::optional<LayerExpert> orphan = Orphan(state, plan)) {
    PlacementMove move = {
        orphan, {}, absl::StrCat(Name(*orphan), " loaded: no worker held it")};
    if (resident < state.most_resident) return move;
    if (const auto drop = plan.CheapestDrop()) {
      move.drop = drop->which;
      absl::StrAppend(&move.reason, "; ", Name(drop->which), " dropped");
      return move;
    }
  }
  return plan.OwnMove();
}

}  // namespace

std::optional<PlacementMove> NextMove(const PlacementState& state,
                                      const PlacementRules& rules) {
  const absl::Duration rested = state.now - state.last_move;
  if (rested >= rules.between_moves) {
    if (auto move = SteadyMove(state, rules)) return move;
  }
  if (rested < rules.between_surge_moves ||
      state.moves_lately >= rules.most_surge_moves ||
      static_cast<int>(state.resident.size()) > state.most_resident) {
    return std::nullopt;
  }
  PlacementPlan plan(state, rules, PlacementPlan::Measure::kRecent);
  // It rests, so that the steady move can load it.
  if (Orphan(state, plan)) return std::nullopt;
  return plan.OwnMove();
}

std::optional<LayerExpert> WithoutHolder(const PlacementState& state,
                                         const PlacementRules& rules,
                                         const std::set<LayerExpert>& coming) {
  const PlacementPlan plan(state, rules, PlacementPlan::Measure::kLately);
  return Orphan(state, plan, coming);
}

}  // namespace apollo

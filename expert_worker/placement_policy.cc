#include "expert_worker/placement_policy.h"

#include <absl/strings/str_cat.h>

#include <string>

#include "expert_worker/orphan_share.h"
#include "expert_worker/placement_plan.h"

namespace apollo {
namespace {

std::string Name(LayerExpert which) {
  return absl::StrCat("expert ", which.expert, " of layer ", which.layer);
}

// Returns an expert that nobody holds and this worker must, other than those
// that are about to come or could not be loaded.
std::optional<LayerExpert> OwnOrphan(const PlacementState& state,
                                     const PlacementPlan& plan,
                                     const std::set<LayerExpert>& coming = {}) {
  for (const LayerExpert which : OrphanShare(state, plan)) {
    if (!coming.contains(which) && !state.failed.contains(which)) return which;
  }
  return std::nullopt;
}

PlacementMove TakeOver(const PlacementState& state, const PlacementPlan& plan,
                       LayerExpert which) {
  PlacementMove move;
  move.load = which;
  move.orphan = true;
  move.reason = absl::StrCat(Name(which), plan.CanWaitFor(which)
                                              ? " loaded: its holder stops"
                                              : " loaded: no worker held it");
  if (static_cast<int>(state.resident.size()) < state.most_resident) {
    return move;
  }
  if (const auto drop = plan.CheapestDrop()) {
    move.drop = drop->which;
    absl::StrAppend(&move.reason, "; ", Name(drop->which), " dropped");
  }
  return move;
}

std::optional<PlacementMove> SteadyMove(const PlacementState& state,
                                        PlacementPlan& plan) {
  if (static_cast<int>(state.resident.size()) <= state.most_resident) {
    return plan.OwnMove();
  }
  const auto drop = plan.CheapestDrop();
  if (!drop) return std::nullopt;
  return PlacementMove{
      {},
      drop->which,
      absl::StrCat(Name(drop->which),
                   " dropped: too many experts for the memory")};
}

}  // namespace

std::optional<PlacementMove> NextMove(const PlacementState& state,
                                      const PlacementRules& rules) {
  using Measure = PlacementPlan::Measure;
  const absl::Duration rested = state.now - state.last_move;
  const bool steady = rested >= rules.between_moves;
  PlacementPlan plan(state, rules,
                     steady ? Measure::kLately : Measure::kRecent);
  const bool too_many =
      static_cast<int>(state.resident.size()) > state.most_resident;
  if (const auto orphan = OwnOrphan(state, plan); orphan && !too_many) {
    // Until it can be loaded, nothing else takes the room or the time.
    if (state.now < state.orphans_from) return std::nullopt;
    return TakeOver(state, plan, *orphan);
  }
  if (steady) {
    if (auto move = SteadyMove(state, plan)) return move;
  }
  if (rested < rules.between_surge_moves || too_many ||
      state.moves_lately >= rules.most_surge_moves) {
    return std::nullopt;
  }
  if (!steady) return plan.OwnMove();
  return PlacementPlan(state, rules, Measure::kRecent).OwnMove();
}

std::optional<LayerExpert> WithoutHolder(const PlacementState& state,
                                         const PlacementRules& rules,
                                         const std::set<LayerExpert>& coming) {
  if (state.now < state.orphans_from) return std::nullopt;
  const PlacementPlan plan(state, rules, PlacementPlan::Measure::kLately);
  return OwnOrphan(state, plan, coming);
}

}  // namespace apollo

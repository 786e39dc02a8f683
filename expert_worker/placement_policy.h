#pragma once

#include <optional>
#include <set>

#include "common/layer_experts.h"
#include "expert_worker/placement_rank.h"   // IWYU pragma: export
#include "expert_worker/placement_state.h"  // IWYU pragma: export

namespace apollo {

// The decision which experts an expert worker holds (--placement=auto). Each
// worker decides for itself, from its own measurements and from what its peers
// say of themselves: weights are read-only, so there is nothing to agree on.
// Pure: no threads, no clock, no state.
//
// Returns the next move, if any:
// - Load an expert that no worker holds, if it is in this worker's share of
// them
//   (expert_worker/orphan_share.h). This waits for no rest between moves: it
//   ends by itself, since what is held is no orphan any more. One whose holder
//   is about to stop, or is expected back, takes only room that is free.
// - Load an expert whose holders have much to do, by the rows of the last
//   minutes, if that is this worker's part of the plan
//   (expert_worker/placement_plan.h).
// - Without room, drop an expert for it: only one that another worker that
//   stays holds, too, and of which this worker is not the first holder in
//   rendezvous order. So two holders never drop the same expert at the same
//   time, if they see each other.
// - With too many residents, drop such an expert without a load.
// - If there is nothing of that to do, or it is too early: the plan by the rows
//   of the last seconds. So replicas appear within seconds when a family
//   surges, also on workers that have none of its sequences.
std::optional<PlacementMove> NextMove(const PlacementState& state,
                                      const PlacementRules& rules = {});

// Returns an expert that no worker holds and this one must load now, other than
// those that are about to come; nullopt if there is none.
std::optional<LayerExpert> WithoutHolder(const PlacementState& state,
                                         const PlacementRules& rules,
                                         const std::set<LayerExpert>& coming);

}  // namespace apollo

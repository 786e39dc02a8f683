#pragma once

#include <vector>

#include "common/layer_experts.h"
#include "expert_worker/placement_plan.h"
#include "expert_worker/placement_state.h"

namespace apollo {

// Returns the experts that no worker holds, such as those that a lost worker
// alone had, and that the deciding worker is to load, in this order. `plan` is
// that of the same state, without moves.
//
// An expert goes in all its layers to the worker with the most room for it:
// room without a drop plus the layers of it that the worker has already. What
// does not fit there goes to the next one. Once no worker has room without a
// drop, they give up copies of which others are the first holders, those with
// the most of them first; what then does not fit is left to standby. Workers
// whose loads fail come last.
//
// If a holder is expected back, and all workers can compute the expert
// meanwhile (PlacementPlan::CanWaitFor), it is loaded only where there is still
// room without a drop after that.
//
// All workers share alike, and each loads its part in order, so that nothing of
// it changes the share of another one: the sum of free room and layers stays
// the same with each load. So no expert is loaded twice, however old the
// descriptions of the peers are, if all have heard of the loss. Copies to give
// up are only counted, because demand, which chooses among them, varies.
std::vector<LayerExpert> OrphanShare(const PlacementState& state,
                                     const PlacementPlan& plan);

}  // namespace apollo

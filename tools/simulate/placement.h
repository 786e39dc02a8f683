#pragma once

#include <optional>
#include <set>
#include <span>
#include <vector>

#include "tools/simulate/scenario.h"

// The experts that expert workers hold. The only file behind it is
// placement.cc. Pure functions.
namespace apollo::simulate {

// Returns the experts of each worker at the start. In turn: copy c of expert e
// is on worker (e + c * experts) modulo the number of workers; with more
// workers than copies, the others hold the experts in turn, too. `auto` begins
// in turn.
std::vector<std::set<int>> InitialPlacement(const Scenario& scenario);

// Returns the number of holders of each expert: one for each, and the remaining
// of `slots` by demand, each to the expert with the most demand per holder. No
// expert has more than `workers` holders.
std::vector<int> HolderTargets(std::span<const double> demand, int slots,
                               int workers);

// Returns the placement with these numbers of holders that keeps most of
// `current`. Workers hold as many experts as they do now.
std::vector<std::set<int>> Rebalance(const std::vector<std::set<int>>& current,
                                     std::span<const int> targets);

// A worker with standby experts, and the choices of its rows by expert since
// the last decision.
struct StandbyState {
  std::span<const double> used;
  std::set<int> base;      // Experts that it always has.
  std::set<int> resident;  // Those, and the ones on standby.
  std::set<int> needed;    // Experts that nobody else has.
  int most = 0;            // The number that may be on standby.
};
struct StandbyChange {
  int load = 0;
  std::optional<int> drop;
};
// Returns the expert that the worker should load: that of which it has sent
// away the most rows, if those were at least a tenth of its choices. If it has
// no room, it drops the standby expert with the fewest rows that others have,
// provided that those are less than half as many.
std::optional<StandbyChange> DecideStandby(const StandbyState& state);

}  // namespace apollo::simulate

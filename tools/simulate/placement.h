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

// A worker that may load experts while it runs: on standby, or by placement
// `auto`. Each worker decides for itself.
struct MoveState {
  // The rows of each expert since the last decision: its own choices, and half
  // of the rows of guests, which could have gone to another holder.
  std::span<const double> used;
  std::set<int> fixed;     // Experts that it always has.
  std::set<int> resident;  // Those, and the ones that it has loaded.
  std::set<int> needed;    // Experts that nobody else has.
  int room = 0;            // The number that it may have besides `fixed`.
};
struct Move {
  int load = 0;
  std::optional<int> drop;
};
// Returns the expert that the worker should load: that of which it has sent
// away the most rows, if those were at least a tenth of all. If it has no room,
// it drops the expert with the fewest rows that others have, provided that
// those are less than two thirds as many.
std::optional<Move> NextMove(const MoveState& state);

}  // namespace apollo::simulate

#pragma once

#include <set>
#include <vector>

#include "tools/simulate/scenario.h"

namespace apollo::simulate {

// Returns the experts of each worker at the start. In turn: copy c of expert e
// is on worker (e + c * experts) modulo the number of workers (a worker that
// has it takes the next one); with more workers than copies, the others hold
// the experts in turn, too. `auto` begins in turn.
std::vector<std::set<int>> InitialPlacement(const Scenario& scenario);

}  // namespace apollo::simulate

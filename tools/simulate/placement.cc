#include "tools/simulate/placement.h"

#include <algorithm>

namespace apollo::simulate {

std::vector<std::set<int>> InitialPlacement(const Scenario& scenario) {
  const Scenario::ExpertWorkers& expert = scenario.expert;
  const int experts = scenario.model.experts;
  std::vector<std::set<int>> placement(expert.count);
  if (expert.placement == Scenario::Placement::kFixed) {
    for (int w = 0; w < expert.count; ++w) {
      placement[w] = expert.fixed[w % expert.fixed.size()];
    }
    return placement;
  }
  const int copies = std::max(expert.count, experts * expert.replicas);
  for (int c = 0; c < copies; ++c) {
    std::set<int>& own = placement[c % expert.count];
    if (static_cast<int>(own.size()) == experts) continue;
    int next = c % experts;
    while (own.contains(next)) next = (next + 1) % experts;
    own.insert(next);
  }
  return placement;
}

}  // namespace apollo::simulate

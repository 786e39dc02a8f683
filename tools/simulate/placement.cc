#include "tools/simulate/placement.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

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
    placement[c % expert.count].insert(c % experts);
  }
  return placement;
}

std::optional<Move> NextMove(const MoveState& state) {
  const std::span<const double> used = state.used;
  const double all = std::accumulate(used.begin(), used.end(), 0.0);
  int most = -1;
  int least = -1;  // Of those that it may drop.
  int loaded = 0;
  for (int e = 0; e < static_cast<int>(used.size()); ++e) {
    if (!state.resident.contains(e)) {
      if (most < 0 || used[e] > used[most]) most = e;
    } else if (!state.fixed.contains(e)) {
      ++loaded;
      if (!state.needed.contains(e) && (least < 0 || used[e] < used[least])) {
        least = e;
      }
    }
  }
  if (most < 0 || all == 0 || used[most] < all / 10) return std::nullopt;
  if (loaded < state.room) return Move{most, std::nullopt};
  if (least < 0 || used[least] * 1.5 > used[most]) return std::nullopt;
  return Move{most, least};
}

}  // namespace apollo::simulate

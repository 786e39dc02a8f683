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

std::vector<int> HolderTargets(std::span<const double> demand, int slots,
                               int workers) {
  std::vector<int> targets(demand.size(), 1);
  for (int left = slots - static_cast<int>(demand.size()); left > 0; --left) {
    int best = -1;
    for (std::size_t e = 0; e < demand.size(); ++e) {
      if (targets[e] >= workers) continue;
      if (best < 0 || demand[e] * targets[best] > demand[best] * targets[e]) {
        best = static_cast<int>(e);
      }
    }
    if (best < 0) break;
    ++targets[best];
  }
  return targets;
}

std::vector<std::set<int>> Rebalance(const std::vector<std::set<int>>& current,
                                     std::span<const int> targets) {
  std::vector<std::set<int>> next = current;
  std::vector<int> missing(targets.begin(), targets.end());
  // Keeps holders from the first worker on, and frees the rest.
  std::vector<std::size_t> room(current.size());
  for (std::size_t w = 0; w < current.size(); ++w) {
    for (const int expert : current[w]) {
      if (missing[expert] > 0) {
        --missing[expert];
      } else {
        next[w].erase(expert);
        ++room[w];
      }
    }
  }
  for (std::size_t e = 0; e < missing.size(); ++e) {
    for (std::size_t w = 0; w < next.size() && missing[e] > 0; ++w) {
      if (room[w] == 0 || !next[w].insert(static_cast<int>(e)).second) continue;
      --room[w];
      --missing[e];
    }
  }
  return next;
}

std::optional<StandbyChange> DecideStandby(const StandbyState& state) {
  const std::span<const double> used = state.used;
  const double all = std::accumulate(used.begin(), used.end(), 0.0);
  int most = -1;
  int least = -1;  // Of those on standby that it may drop.
  int on_standby = 0;
  for (int e = 0; e < static_cast<int>(used.size()); ++e) {
    if (!state.resident.contains(e)) {
      if (most < 0 || used[e] > used[most]) most = e;
    } else if (!state.base.contains(e)) {
      ++on_standby;
      if (!state.needed.contains(e) && (least < 0 || used[e] < used[least])) {
        least = e;
      }
    }
  }
  if (most < 0 || all == 0 || used[most] < all / 10) return std::nullopt;
  if (on_standby < state.most) return StandbyChange{most, std::nullopt};
  if (least < 0 || used[least] * 2 > used[most]) return std::nullopt;
  return StandbyChange{most, least};
}

}  // namespace apollo::simulate

#include "expert_worker/orphan_share.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <tuple>
#include <utility>

#include "expert_worker/placement_rank.h"

namespace apollo {
namespace {

using Room = PlacementPlan::Room;

// The layers in which nobody holds an expert, by expert.
using Orphans = std::map<int, std::deque<int>>;

// Returns those that can wait for a holder, or the others.
Orphans FindOrphans(const PlacementState& state, const PlacementPlan& plan,
                    bool can_wait) {
  Orphans orphans;
  for (int layer = state.first_layer; layer < state.end_layer; ++layer) {
    for (int expert = 0; expert < state.num_experts; ++expert) {
      const LayerExpert which = {layer, expert};
      if (!plan.IsHeld(which) && plan.CanWaitFor(which) == can_wait) {
        orphans[expert].push_back(layer);
      }
    }
  }
  return orphans;
}

// The division of orphans among the workers. Single-threaded.
class Division {
 public:
  explicit Division(std::vector<Room> rooms) : rooms_(std::move(rooms)) {}

  // Gives away what fits into the workers' free room, or into that of copies
  // that they can give up.
  void Divide(Orphans& orphans, bool loads_fail, bool with_drops) {
    for (auto& [expert, layers] : orphans) {
      for (const std::size_t w : Order(expert, loads_fail, with_drops)) {
        Room& room = rooms_[w];
        while (!layers.empty() && Slots(room, with_drops) > 0) {
          if (w == 0) own_.push_back({layers.front(), expert});
          layers.pop_front();
          --room.free;
          ++room.layers[static_cast<std::size_t>(expert)];
        }
      }
    }
  }
  // Returns what the first worker has got.
  const std::vector<LayerExpert>& own() const { return own_; }

 private:
  static int Slots(const Room& room, bool with_drops) {
    return with_drops ? room.drops + room.free : room.free;
  }
  // Returns the workers that may take the expert, the first one first.
  std::vector<std::size_t> Order(int expert, bool loads_fail,
                                 bool with_drops) const {
    std::vector<std::size_t> order;
    for (std::size_t w = 0; w < rooms_.size(); ++w) {
      if (rooms_[w].loads_fail == loads_fail &&
          Slots(rooms_[w], with_drops) > 0) {
        order.push_back(w);
      }
    }
    const auto key = [&](std::size_t w) {
      const Room& room = rooms_[w];
      return std::tuple(Slots(room, with_drops) +
                            room.layers[static_cast<std::size_t>(expert)],
                        HolderRank(*room.name, {0, expert}), *room.name);
    };
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return key(a) > key(b); });
    return order;
  }

  std::vector<Room> rooms_;
  std::vector<LayerExpert> own_;
};

}  // namespace

std::vector<LayerExpert> OrphanShare(const PlacementState& state,
                                     const PlacementPlan& plan) {
  Orphans lost = FindOrphans(state, plan, /*can_wait=*/false);
  Orphans waiting = FindOrphans(state, plan, /*can_wait=*/true);
  if (lost.empty() && waiting.empty()) return {};
  Division division(plan.Rooms());
  for (const bool loads_fail : {false, true}) {
    for (const bool with_drops : {false, true}) {
      division.Divide(lost, loads_fail, with_drops);
    }
  }
  // Last, so that loading them changes no share of the others.
  for (const bool loads_fail : {false, true}) {
    division.Divide(waiting, loads_fail, /*with_drops=*/false);
  }
  return division.own();
}

}  // namespace apollo

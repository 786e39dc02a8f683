#include "expert_worker/placement_plan.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "expert_worker/placement_rank.h"

namespace apollo {
namespace {

std::string Name(LayerExpert which) {
  return absl::StrCat("expert ", which.expert, " of layer ", which.layer);
}

}  // namespace

PlacementPlan::PlacementPlan(const PlacementState& state,
                             const PlacementRules& rules, Measure measure)
    : state_(state),
      rules_(rules),
      measure_(measure),
      least_rows_(measure == Measure::kRecent ? rules.surge_rows
                                              : rules.least_rows) {
  const int layers = state.end_layer - state.first_layer;
  experts_.resize(static_cast<std::size_t>(layers) *
                  static_cast<std::size_t>(state.num_experts));
  AddWorker(state.name, state.resident, nullptr);
  for (const PlacementPeer& peer : state.peers) {
    AddWorker(peer.name, peer.resident.Each(state.first_layer, state.end_layer),
              &peer);
  }
  for (const auto& [name, resident] : state.expected) {
    for (const LayerExpert which :
         resident.Each(state.first_layer, state.end_layer)) {
      if (Knows(which)) ++experts_[Index(which)].expected;
    }
  }
  AddDemand();
  for (std::size_t w = 0; w < workers_.size(); ++w) ListDrops(w);
  for (std::size_t i = 0; i < experts_.size(); ++i) Enqueue(i);
}

std::size_t PlacementPlan::Index(LayerExpert which) const {
  return static_cast<std::size_t>(which.layer - state_.first_layer) *
             static_cast<std::size_t>(state_.num_experts) +
         static_cast<std::size_t>(which.expert);
}

void PlacementPlan::AddWorker(const std::string& name,
                              std::set<LayerExpert> resident,
                              const PlacementPeer* peer) {
  Worker worker;
  worker.name = &name;
  worker.stays = peer == nullptr || peer->stays;
  worker.moves = peer == nullptr ? state_.moves_lately < rules_.most_surge_moves
                                 : peer->moves && peer->stays;
  worker.takes_orphans =
      peer == nullptr || (peer->takes_orphans && peer->stays);
  worker.loads_fail = peer == nullptr ? state_.loads_fail : peer->loads_fail;
  worker.most_resident =
      peer == nullptr ? state_.most_resident : peer->most_resident;
  worker.resident = std::move(resident);
  worker.layers.resize(static_cast<std::size_t>(state_.num_experts));
  const int index = static_cast<int>(workers_.size());
  for (const LayerExpert which : worker.resident) {
    if (!Knows(which)) continue;
    ++worker.layers[static_cast<std::size_t>(which.expert)];
    if (!worker.stays) continue;
    Expert& expert = experts_[Index(which)];
    ++expert.holders;
    const auto rank = [which](const std::string& holder) {
      return std::pair(HolderRank(holder, which), holder);
    };
    if (expert.first < 0 ||
        rank(name) >
            rank(*workers_[static_cast<std::size_t>(expert.first)].name)) {
      expert.first = index;
    }
  }
  workers_.push_back(std::move(worker));
}

ReportedRows PlacementPlan::OwnRows(LayerExpert which,
                                    const ReportedRows& measured) const {
  if (!state_.own) return measured;
  const auto it = state_.own->find(which);
  return it == state_.own->end() ? ReportedRows() : it->second;
}

void PlacementPlan::AddDemand() {
  // A steady rate has counts in proportion to the half-lives.
  const double recent_of_lately = absl::FDivDuration(
      ExpertDemand::kRecentHalfLife, ExpertDemand::kHalfLife);
  std::vector<ReportedRows> others(experts_.size());
  bool silent = false;  // Some peers report nothing, but send rows.
  for (const PlacementPeer& peer : state_.peers) {
    silent = silent || (peer.own.empty() && !peer.moves);
    for (const auto& [which, rows] : peer.own) {
      if (!Knows(which)) continue;
      others[Index(which)].lately += rows.lately;
      others[Index(which)].recent += rows.recent;
    }
  }
  for (int layer = state_.first_layer; layer < state_.end_layer; ++layer) {
    for (int e = 0; e < state_.num_experts; ++e) {
      const LayerExpert which = {layer, e};
      const ExpertDemand::Use lately = state_.demand->At(which, state_.now);
      const ExpertDemand::Use recent = state_.demand->Recent(which, state_.now);
      ReportedRows sum = others[Index(which)];
      if (silent) {
        sum.lately = std::max(sum.lately, lately.guests);
        sum.recent = std::max(sum.recent, recent.guests);
      }
      const ReportedRows own = OwnRows(which, {lately.own, recent.own});
      const double in_minutes = sum.lately + own.lately;
      const double in_seconds = sum.recent + own.recent;
      Expert& expert = experts_[Index(which)];
      if (measure_ == Measure::kRecent) {
        expert.wanted = in_seconds;
        expert.kept = std::max(in_seconds, in_minutes * recent_of_lately);
      } else {
        expert.wanted = in_minutes;
        expert.kept = std::max(in_minutes, in_seconds / recent_of_lately);
      }
    }
  }
}

void PlacementPlan::ListDrops(std::size_t index) {
  Worker& worker = workers_[index];
  using Ordered = std::tuple<int, double, std::uint64_t, LayerExpert>;
  std::vector<Ordered> ordered;  // The smallest is best.
  for (const LayerExpert which : worker.resident) {
    if (!Knows(which)) continue;
    const Expert& expert = At(which);
    if (expert.holders < 2 || expert.first == static_cast<int>(index)) continue;
    ordered.emplace_back(Layers(worker, which.expert),
                         expert.kept / (expert.holders - 1 + expert.expected),
                         RendezvousRank(*worker.name, which), which);
  }
  std::sort(ordered.begin(), ordered.end());
  worker.drops.clear();
  worker.least_drop = std::numeric_limits<double>::infinity();
  for (const auto& [layers, load, rank, which] : ordered) {
    worker.drops.push_back({which, load});
    worker.least_drop = std::min(worker.least_drop, load);
  }
}

std::optional<PlacementPlan::Drop> PlacementPlan::DropFor(std::size_t index,
                                                          double load) const {
  const Worker& worker = workers_[index];
  const auto worth = [&](double dropped) {
    return load > rules_.hysteresis * dropped && load - dropped >= least_rows_;
  };
  if (!worth(worker.least_drop)) return std::nullopt;
  for (const Drop& drop : worker.drops) {
    if (worth(drop.load)) return drop;
  }
  return std::nullopt;
}

std::optional<PlacementPlan::Drop> PlacementPlan::CheapestDrop() const {
  if (workers_.front().drops.empty()) return std::nullopt;
  return workers_.front().drops.front();
}

std::vector<PlacementPlan::Room> PlacementPlan::Rooms() const {
  std::vector<Room> rooms;
  for (const Worker& worker : workers_) {
    if (!worker.takes_orphans) continue;
    rooms.push_back(
        {worker.name, worker.loads_fail,
         worker.most_resident - static_cast<int>(worker.resident.size()),
         static_cast<int>(worker.drops.size()), worker.layers});
  }
  return rooms;
}

bool PlacementPlan::CanWaitFor(LayerExpert which) const {
  return At(which).expected > 0 && state_.stands_by &&
         std::all_of(state_.peers.begin(), state_.peers.end(),
                     [which](const PlacementPeer& peer) {
                       return !peer.stays || peer.reaches.Has(which);
                     });
}

void PlacementPlan::Enqueue(std::size_t index) {
  const Expert& expert = experts_[index];
  if (expert.holders == 0 || Load(expert) < least_rows_) return;
  queue_.emplace(Load(expert), -static_cast<std::int64_t>(index));
}

std::optional<LayerExpert> PlacementPlan::TakeBusiest() {
  while (!queue_.empty()) {
    const auto [load, negative] = queue_.top();
    queue_.pop();
    const auto index = static_cast<std::size_t>(-negative);
    const Expert& expert = experts_[index];
    if (expert.holders == 0 || load != Load(expert)) continue;
    const int number = static_cast<int>(index);
    return LayerExpert{state_.first_layer + number / state_.num_experts,
                       number % state_.num_experts};
  }
  return std::nullopt;
}

// A worker that has the expert in other layers already comes first: sequences
// of the family then find it in all of them.
std::optional<PlacementPlan::Choice> PlacementPlan::Taker(
    LayerExpert which) const {
  const double load = Load(At(which));
  const auto order = [&](const Choice& choice) {  // The largest is best.
    const Worker& worker = workers_[choice.worker];
    return std::tuple(Layers(worker, which.expert),
                      choice.drop ? -choice.drop->load : 0.0,
                      HolderRank(*worker.name, which));
  };
  std::optional<Choice> best;
  for (std::size_t w = 0; w < workers_.size(); ++w) {
    const Worker& worker = workers_[w];
    if (!worker.moves || worker.resident.contains(which)) continue;
    Choice choice = {w};
    if (!HasRoom(worker)) {
      choice.drop = DropFor(w, load);
      if (!choice.drop) continue;
    }
    if (!best || order(choice) > order(*best)) best = choice;
  }
  return best;
}

void PlacementPlan::Apply(LayerExpert which, const Choice& choice) {
  Worker& worker = workers_[choice.worker];
  worker.assigned = true;
  worker.resident.insert(which);
  ++worker.layers[static_cast<std::size_t>(which.expert)];
  ++experts_[Index(which)].holders;
  Enqueue(Index(which));
  const std::optional<Drop> drop = choice.drop;
  if (drop) {
    worker.resident.erase(drop->which);
    --worker.layers[static_cast<std::size_t>(drop->which.expert)];
    --experts_[Index(drop->which)].holders;
    Enqueue(Index(drop->which));
  }
}

std::vector<PlacementSwap> PlacementPlan::ApplyFurther(LayerExpert which,
                                                       std::size_t worker) {
  std::vector<PlacementSwap> swaps;
  for (int layer = state_.first_layer; layer < state_.end_layer; ++layer) {
    const LayerExpert other = {layer, which.expert};
    const Expert& expert = At(other);
    if (workers_[worker].resident.contains(other) || expert.holders == 0 ||
        Load(expert) < least_rows_) {
      continue;
    }
    Choice choice = {worker};
    if (!HasRoom(workers_[worker])) {
      choice.drop = DropFor(worker, Load(expert));
      if (!choice.drop) continue;
    }
    PlacementSwap& swap = swaps.emplace_back();
    swap.load = other;
    if (choice.drop) swap.drop = choice.drop->which;
    Apply(other, choice);
    ListDrops(worker);
  }
  return swaps;
}

std::string PlacementPlan::Reason(LayerExpert which,
                                  const Choice& choice) const {
  std::string reason = absl::StrFormat(
      "%s loaded: %.0f rows %s for each holder", Name(which), Load(At(which)),
      measure_ == Measure::kRecent ? "in seconds" : "lately");
  if (choice.drop) {
    absl::StrAppendFormat(&reason, "; %s dropped: %.0f rows for each other one",
                          Name(choice.drop->which), choice.drop->load);
  }
  return reason;
}

std::optional<PlacementMove> PlacementPlan::OwnMove() {
  for (int moves = 0; moves < rules_.most_at_once;) {
    const std::optional<LayerExpert> which = TakeBusiest();
    if (!which) return std::nullopt;
    const std::optional<Choice> taker = Taker(*which);
    // A worker makes one move at a time.
    if (!taker || workers_[taker->worker].assigned) continue;
    PlacementMove move;
    move.load = which;
    if (taker->drop) move.drop = taker->drop->which;
    move.reason = Reason(*which, *taker);
    Apply(*which, *taker);
    ListDrops(taker->worker);
    move.further = ApplyFurther(*which, taker->worker);
    if (taker->worker == 0) {
      if (!move.further.empty()) {
        absl::StrAppend(&move.reason, "; and in ", move.further.size(),
                        " more layers");
      }
      return move;
    }
    ++moves;
    // Once for all layers of the move: it takes the time of a sort.
    for (std::size_t w = 0; w < workers_.size(); ++w) ListDrops(w);
  }
  return std::nullopt;
}

}  // namespace apollo

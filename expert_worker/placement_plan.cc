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
  AddDemand();
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
  worker.moves = peer == nullptr || (peer->moves && peer->stays);
  worker.most_resident =
      peer == nullptr ? state_.most_resident : peer->most_resident;
  worker.resident = std::move(resident);
  const int index = static_cast<int>(workers_.size());
  for (const LayerExpert which : worker.resident) {
    if (!worker.stays || !Knows(which)) continue;
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

int PlacementPlan::Layers(const Worker& worker, int expert) const {
  int layers = 0;
  for (int layer = state_.first_layer; layer < state_.end_layer; ++layer) {
    layers += worker.resident.contains({layer, expert}) ? 1 : 0;
  }
  return layers;
}

std::optional<PlacementPlan::Drop> PlacementPlan::DropFor(std::size_t index,
                                                          double load) const {
  const Worker& worker = workers_[index];
  const auto order = [&](const Drop& drop) {  // The smallest is best.
    return std::tuple(Layers(worker, drop.which.expert), drop.load,
                      RendezvousRank(*worker.name, drop.which));
  };
  std::optional<Drop> best;
  for (const LayerExpert which : worker.resident) {
    if (!Knows(which)) continue;
    const Expert& expert = At(which);
    if (expert.holders < 2 || expert.first == static_cast<int>(index)) continue;
    const Drop drop = {which, expert.kept / (expert.holders - 1)};
    if (load <= rules_.hysteresis * drop.load ||
        load - drop.load < least_rows_) {
      continue;
    }
    if (!best || order(drop) < order(*best)) best = drop;
  }
  return best;
}

std::optional<PlacementPlan::Drop> PlacementPlan::CheapestDrop() const {
  return DropFor(0, std::numeric_limits<double>::infinity());
}

std::optional<LayerExpert> PlacementPlan::Busiest() const {
  std::optional<LayerExpert> busiest;
  for (int layer = state_.first_layer; layer < state_.end_layer; ++layer) {
    for (int e = 0; e < state_.num_experts; ++e) {
      const Expert& expert = At({layer, e});
      if (expert.done || expert.holders == 0) continue;
      if (Load(expert) < least_rows_) continue;
      if (!busiest || Load(expert) > Load(At(*busiest))) busiest = {layer, e};
    }
  }
  return busiest;
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
    const int resident = static_cast<int>(worker.resident.size());
    if (resident >= worker.most_resident) {
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
  ++experts_[Index(which)].holders;
  if (!choice.drop) return;
  worker.resident.erase(choice.drop->which);
  --experts_[Index(choice.drop->which)].holders;
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
    const std::optional<LayerExpert> which = Busiest();
    if (!which) return std::nullopt;
    const std::optional<Choice> taker = Taker(*which);
    // A worker makes one move at a time.
    if (!taker || workers_[taker->worker].assigned) {
      experts_[Index(*which)].done = true;
      continue;
    }
    if (taker->worker == 0) {
      PlacementMove move;
      move.load = which;
      if (taker->drop) move.drop = taker->drop->which;
      move.reason = Reason(*which, *taker);
      return move;
    }
    Apply(*which, *taker);
    ++moves;
  }
  return std::nullopt;
}

}  // namespace apollo

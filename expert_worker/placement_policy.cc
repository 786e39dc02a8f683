#include "expert_worker/placement_policy.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace apollo {
namespace {

// The state with what several steps of the decision need.
class Decision {
 public:
  // `surge`: by the rows of the last seconds.
  Decision(const PlacementState& state, const PlacementRules& rules, bool surge)
      : state_(state),
        rules_(rules),
        surge_(surge),
        between_moves_(surge ? rules.between_surge_moves : rules.between_moves),
        least_rows_(surge ? rules.surge_rows : rules.least_rows) {}

  std::optional<PlacementMove> Move() const;

 private:
  // An expert, and the rows that its residence here saves.
  struct Worth {
    LayerExpert which;
    double rows = 0;
    bool orphan = false;  // No worker holds it.
  };

  bool HeldElsewhere(LayerExpert which) const;
  // Returns true if this worker precedes all others in rendezvous order: all
  // that stay, or all that hold the expert.
  bool IsFirst(LayerExpert which, bool of_holders) const;
  std::optional<Worth> BestLoad() const;
  std::optional<Worth> CheapestDrop() const;
  bool IsWorthwhile(const Worth& load, const Worth& drop) const;
  // Return the rows that the load of an expert saves, or its drop costs.
  double Absent(LayerExpert which) const;
  double Used(LayerExpert which) const;

  const PlacementState& state_;
  const PlacementRules& rules_;
  const bool surge_;
  const absl::Duration between_moves_;
  const double least_rows_;
};

std::string Name(LayerExpert which) {
  return absl::StrCat("expert ", which.expert, " of layer ", which.layer);
}

std::string Loads(LayerExpert which, double rows, bool orphan) {
  return orphan ? absl::StrCat(Name(which), " loaded: no worker held it")
                : absl::StrFormat("%s loaded: %.0f rows lately needed it",
                                  Name(which), rows);
}

bool Decision::HeldElsewhere(LayerExpert which) const {
  return std::any_of(state_.peers.begin(), state_.peers.end(),
                     [which](const PlacementPeer& peer) {
                       return peer.stays && peer.resident.Has(which);
                     });
}

bool Decision::IsFirst(LayerExpert which, bool of_holders) const {
  const std::pair own(RendezvousRank(state_.name, which), state_.name);
  return std::none_of(
      state_.peers.begin(), state_.peers.end(), [&](const PlacementPeer& peer) {
        return peer.stays && (!of_holders || peer.resident.Has(which)) &&
               std::pair(RendezvousRank(peer.name, which), peer.name) > own;
      });
}

double Decision::Absent(LayerExpert which) const {
  return surge_ ? state_.demand->Recent(which, state_.now).absent
                : state_.demand->At(which, state_.now).absent;
}

double Decision::Used(LayerExpert which) const {
  const auto rows = [this](const ExpertDemand::Use& use) {
    return use.own + rules_.guest_share * use.guests;
  };
  const double lately = rows(state_.demand->At(which, state_.now));
  if (!surge_) return lately;
  // A steady rate has counts in proportion to the half-lives.
  const double usual =
      lately * absl::FDivDuration(ExpertDemand::kRecentHalfLife,
                                  ExpertDemand::kHalfLife);
  return std::max(rows(state_.demand->Recent(which, state_.now)), usual);
}

std::optional<Decision::Worth> Decision::BestLoad() const {
  std::optional<Worth> best;
  for (int layer = state_.first_layer; layer < state_.end_layer; ++layer) {
    for (int expert = 0; expert < state_.num_experts; ++expert) {
      const LayerExpert which = {layer, expert};
      if (state_.resident.contains(which)) continue;
      Worth worth = {which, Absent(which)};
      worth.orphan = !surge_ && !HeldElsewhere(which) &&
                     IsFirst(which, /*of_holders=*/false);
      if (!worth.orphan && worth.rows < least_rows_) continue;
      if (!best || std::pair(worth.orphan, worth.rows) >
                       std::pair(best->orphan, best->rows)) {
        best = worth;
      }
    }
  }
  return best;
}

std::optional<Decision::Worth> Decision::CheapestDrop() const {
  std::optional<Worth> cheapest;
  for (const LayerExpert which : state_.resident) {
    if (!HeldElsewhere(which) || IsFirst(which, /*of_holders=*/true)) continue;
    const double rows = Used(which);
    if (!cheapest || rows < cheapest->rows ||
        (rows == cheapest->rows &&
         RendezvousRank(state_.name, which) <
             RendezvousRank(state_.name, cheapest->which))) {
      cheapest = Worth{which, rows};
    }
  }
  return cheapest;
}

bool Decision::IsWorthwhile(const Worth& load, const Worth& drop) const {
  return load.orphan || (load.rows > rules_.hysteresis * drop.rows &&
                         load.rows - drop.rows >= least_rows_);
}

std::optional<PlacementMove> Decision::Move() const {
  if (state_.now - state_.last_move < between_moves_) return {};
  const int resident = static_cast<int>(state_.resident.size());
  const std::optional<Worth> drop = CheapestDrop();
  if (resident > state_.most_resident) {
    if (!drop || surge_) return {};
    return PlacementMove{
        {},
        drop->which,
        absl::StrCat(Name(drop->which),
                     " dropped: too many experts for the memory")};
  }
  const std::optional<Worth> load = BestLoad();
  if (!load) return {};
  const std::string loads = Loads(load->which, load->rows, load->orphan);
  if (resident < state_.most_resident) {
    return PlacementMove{load->which, {}, loads};
  }
  if (!drop || !IsWorthwhile(*load, *drop)) return {};
  return PlacementMove{load->which, drop->which,
                       absl::StrFormat("%s; %s dropped: %.0f rows", loads,
                                       Name(drop->which), drop->rows)};
}

}  // namespace

std::optional<PlacementMove> NextMove(const PlacementState& state,
                                      const PlacementRules& rules) {
  for (const bool surge : {false, true}) {
    auto move = Decision(state, rules, surge).Move();
    if (move) return move;
  }
  return std::nullopt;
}

std::uint64_t RendezvousRank(std::string_view worker, LayerExpert which) {
  std::uint64_t hash = 14695981039346656037u;
  const auto add = [&hash](unsigned char byte) {
    hash = (hash ^ byte) * 1099511628211u;
  };
  for (const char c : worker) add(static_cast<unsigned char>(c));
  for (const int number : {which.layer, which.expert}) {
    for (int shift = 0; shift < 32; shift += 8) {
      add(static_cast<unsigned char>(static_cast<std::uint32_t>(number) >>
                                     shift));
    }
  }
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdu;
  hash ^= hash >> 33;
  hash *= 0xc4ceb9fe1a85ec53u;
  return hash ^ (hash >> 33);
}

std::set<int> FirstExperts(std::string_view worker, int count,
                           int num_experts) {
  std::vector<std::pair<std::uint64_t, int>> ranked;
  for (int expert = 0; expert < num_experts; ++expert) {
    ranked.emplace_back(RendezvousRank(worker, {0, expert}), expert);
  }
  std::sort(ranked.rbegin(), ranked.rend());
  std::set<int> experts;
  for (int i = 0; i < std::min(count, num_experts); ++i) {
    experts.insert(ranked[i].second);
  }
  return experts;
}

}  // namespace apollo

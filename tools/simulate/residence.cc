#include "tools/simulate/residence.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "expert_worker/dispatch_policy.h"

namespace apollo::simulate {
namespace {

// ExpertResidence::Options::unused_for.
constexpr Time kUnusedFor = 60'000'000'000;

}  // namespace

Residence::Residence(int worker, const Scenario& scenario, EventQueue& events,
                     const Board& board, Stats& stats, Events calls)
    : worker_(worker),
      scenario_(scenario),
      events_(events),
      board_(board),
      stats_(stats),
      calls_(std::move(calls)),
      room_(static_cast<std::size_t>(scenario.expert.standby) *
            static_cast<std::size_t>(scenario.model.sparse_layers)) {}

void Residence::Start(const std::set<int>& experts) {
  resident_ = LayerExperts(experts).Each(0, scenario_.model.sparse_layers);
}

void Residence::Stop() {
  ++life_;
  resident_.clear();
  standby_.clear();
  wanted_.clear();
  loading_.reset();
  move_.reset();
}

bool Residence::StandsBy(LayerExpert which) const {
  const auto it = standby_.find(which);
  return it != standby_.end() && events_.now() - it->second <= kUnusedFor;
}

bool Residence::Has(LayerExpert which) const {
  return resident_.contains(which) || StandsBy(which);
}

void Residence::Use(LayerExpert which) {
  const auto it = standby_.find(which);
  if (it != standby_.end()) it->second = events_.now();
}

std::optional<std::int64_t> Residence::BytesToLoad(LayerExpert which) const {
  if (Has(which) || loading_ == which) return 0;
  if (room_ == 0) return std::nullopt;
  const auto before = std::find(wanted_.begin(), wanted_.end(), which);
  const auto loads = static_cast<double>(before - wanted_.begin()) + 1;
  return static_cast<std::int64_t>(loads * scenario_.expert.load_seconds *
                                   DispatchCosts().load_bytes_per_second);
}

void Residence::Want(LayerExpert which) {
  if (loading_ == which || std::count(wanted_.begin(), wanted_.end(), which)) {
    return;
  }
  wanted_.push_back(which);
  Next();
}

void Residence::Make(const PlacementMove& move) {
  move_ = move;
  if (!move.load || StandsBy(*move.load)) return Settle();
  Next();
}

void Residence::Next() {
  if (loading_) return;
  if (!wanted_.empty()) {
    loading_ = wanted_.front();
    wanted_.pop_front();
  } else if (move_) {
    loading_ = move_->load;
  } else {
    return;
  }
  ++stats_.loads;
  events_.After(FromSeconds(scenario_.expert.load_seconds),
                [this, life = life_, which = *loading_] {
                  if (life == life_) Loaded(which);
                });
}

void Residence::Loaded(LayerExpert which) {
  loading_.reset();
  if (move_ && move_->load == which) {
    Settle();
  } else {
    Keep(which);
  }
  Next();
  calls_.came(which);
}

void Residence::Settle() {
  const PlacementMove move = *std::exchange(move_, std::nullopt);
  if (move.load) {
    standby_.erase(*move.load);
    resident_.insert(*move.load);
  }
  if (move.drop && board_.IsHeld(*move.drop, worker_)) {
    resident_.erase(*move.drop);
    if (standby_.size() < room_) Keep(*move.drop);
  }
  calls_.changed();
  if (move.further.empty()) return;
  PlacementMove next;
  next.load = move.further.front().load;
  next.drop = move.further.front().drop;
  next.further.assign(move.further.begin() + 1, move.further.end());
  Make(next);
}

void Residence::Keep(LayerExpert which) {
  if (standby_.size() >= room_ && !standby_.empty()) {
    standby_.erase(std::min_element(
        standby_.begin(), standby_.end(),
        [](const auto& a, const auto& b) { return a.second < b.second; }));
  }
  standby_[which] = events_.now();
}

}  // namespace apollo::simulate

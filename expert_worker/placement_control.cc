#include "expert_worker/placement_control.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/log.h"

namespace apollo {
namespace {

std::int64_t Rounded(double rows) { return std::llround(rows); }

}  // namespace

PlacementControl::PlacementControl(const Options& options, std::string name,
                                   const ModelConfig& config,
                                   ExpertResidence& residence,
                                   absl::Duration now)
    : options_(options),
      name_(std::move(name)),
      config_(config),
      residence_(residence),
      began_with_(static_cast<int>(Residents().size())),
      started_(now),
      move_began_(now),
      last_move_(now),
      next_decision_(now),
      orphans_from_(now + options.rules.between_moves),
      departures_(options.rules.restart_grace) {}

std::set<LayerExpert> PlacementControl::Residents() const {
  return residence_.resident().Each(config_.boundary, config_.num_layers);
}

void PlacementControl::CountOwn(std::span<const SliceOutcome> outcomes,
                                absl::Duration now) {
  const int experts = config_.num_experts;
  std::vector<double> rows(
      static_cast<std::size_t>(config_.num_sparse_layers()) * experts);
  for (const SliceOutcome& outcome : outcomes) {
    for (std::size_t i = 0; i < outcome.expert_use.size(); ++i) {
      rows[i] += outcome.expert_use[i];
    }
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] == 0) continue;
    const LayerExpert which = {config_.boundary + static_cast<int>(i) / experts,
                               static_cast<int>(i) % experts};
    const bool resident = residence_.resident().Has(which);
    demand_.Add(which, {rows[i], resident ? 0 : rows[i], 0}, now);
    residence_.Used(which);
  }
}

void PlacementControl::TakeFile(Placement placement, absl::Duration now) {
  file_ = std::move(placement);
  const auto own = file_->find(name_);
  if (own == file_->end()) {
    LogWarning("placement_incomplete", {{"worker", name_}});
    return;
  }
  further_.clear();
  const std::set<LayerExpert> target =
      own->second.Each(config_.boundary, config_.num_layers);
  if (target != Residents()) Note("by the placement file", now);
  residence_.Place(target, ExpertHold::kFile);
}

PlacementState PlacementControl::StateAt(absl::Duration now) const {
  PlacementState state;
  state.now = now;
  state.last_move = last_move_;
  state.moves_lately = static_cast<int>(moves_.size());
  state.name = name_;
  state.first_layer = config_.boundary;
  state.end_layer = config_.num_layers;
  state.num_experts = config_.num_experts;
  state.resident = Residents();
  state.most_resident = MostResident();
  state.demand = &demand_;
  state.own = reported_;
  state.orphans_from = orphans_from_;
  state.failed = residence_.FailedLately();
  state.loads_fail = reported_failing_;
  state.stands_by = residence_.StandsByForAll();
  state.expected = departures_.Expected();
  return state;
}

void PlacementControl::Decide(std::vector<PlacementPeer> peers,
                              absl::Duration now) {
  if (!Decides(now)) return;
  NoteLosses(peers, now);
  if (GoOn(peers, now)) return;
  next_decision_ = now + kDecideEvery;
  ForgetOldMoves(now);
  PlacementState state = StateAt(now);
  state.peers = std::move(peers);
  std::optional<PlacementMove> move = NextMove(state, options_.rules);
  if (!move || InProgress(*move)) return;
  // What could not be loaded is tried again by itself. Others can go on.
  if (move->load && state.failed.contains(*move->load)) return;
  std::set<LayerExpert> target = std::move(state.resident);
  if (move->load) target.insert(*move->load);
  if (move->drop) target.erase(*move->drop);
  LogInfo("expert_moved", {{"reason", move->reason}});
  Note(std::move(move->reason), now);
  taking_over_.reset();
  if (move->orphan) {
    taking_over_ = move->load;
    next_decision_ = now;  // The next one follows without a rest.
  } else {
    moves_.push_back(now);
  }
  further_.assign(move->further.begin(), move->further.end());
  residence_.Place(std::move(target), ExpertHold::kAuto);
}

void PlacementControl::NoteLosses(const std::vector<PlacementPeer>& peers,
                                  absl::Duration now) {
  departures_.Update(peers, now);
  std::set<std::string> staying, known;
  for (const PlacementPeer& peer : peers) {
    if (peer.stays) staying.insert(peer.name);
  }
  known = staying;
  for (const auto& [name, resident] : departures_.Expected()) {
    known.insert(name);
  }
  const bool lost = !std::includes(known.begin(), known.end(), staying_.begin(),
                                   staying_.end());
  // Peers that come and go again and again do not delay it for ever: between
  // two delays there is a decision.
  if (lost && orphans_from_ + kDecideEvery < now) {
    orphans_from_ = now + options_.rules.takes_over_after;
  }
  staying_ = std::move(staying);
}

bool PlacementControl::PeersTakeOver(
    std::span<const PlacementPeer> peers) const {
  const std::set<LayerExpert> own = Residents();
  const bool alone =
      std::any_of(own.begin(), own.end(), [&peers](LayerExpert which) {
        return std::none_of(peers.begin(), peers.end(),
                            [which](const PlacementPeer& peer) {
                              return peer.stays && peer.resident.Has(which);
                            });
      });
  return alone &&
         std::any_of(peers.begin(), peers.end(),
                     [this](const PlacementPeer& peer) {
                       return peer.stays && !peer.silent &&
                              peer.takes_orphans && !peer.loads_fail &&
                              std::ssize(peer.resident.Each(
                                  config_.boundary, config_.num_layers)) <
                                  peer.most_resident;
                     });
}

bool PlacementControl::InProgress(const PlacementMove& move) const {
  return move.orphan && move.load == taking_over_ && !residence_.settled() &&
         !residence_.resident().Has(*move.load);
}

bool PlacementControl::GoOn(const std::vector<PlacementPeer>& peers,
                            absl::Duration now) {
  if (further_.empty()) return false;
  if (!residence_.settled()) {
    // A load that fails, or a drop that must wait, ends the move.
    if (now - last_move_ < kMoveTakes) return true;
    further_.clear();
    return false;
  }
  if (MustGiveWay(peers, now)) {
    further_.clear();
    last_move_ = move_began_;  // The rest is that after a move of one layer.
    return false;
  }
  const PlacementSwap swap = further_.front();
  further_.pop_front();
  std::set<LayerExpert> target = Residents();
  target.insert(swap.load);
  if (swap.drop) target.erase(*swap.drop);
  last_move_ = now;
  residence_.Place(std::move(target), ExpertHold::kAuto);
  return true;
}

bool PlacementControl::MustGiveWay(const std::vector<PlacementPeer>& peers,
                                   absl::Duration now) const {
  // What has lost its last holder meanwhile is shared among all.
  const LayerExpert next = further_.front().load;
  if (std::none_of(peers.begin(), peers.end(), [&](const PlacementPeer& peer) {
        return peer.stays && peer.resident.Has(next);
      })) {
    return true;
  }
  std::set<LayerExpert> coming;
  for (const PlacementSwap& swap : further_) coming.insert(swap.load);
  PlacementState state = StateAt(now);
  state.peers = peers;
  return WithoutHolder(state, options_.rules, coming).has_value();
}

bool PlacementControl::LoadsFail(absl::Duration now) const {
  const std::optional<absl::Duration> since = residence_.loading_since();
  return (since && now - *since > kLongLoad) ||
         (crowded_since_ && now - *crowded_since_ > kMoveTakes) ||
         !residence_.FailedLately().empty();
}

void PlacementControl::ForgetOldMoves(absl::Duration now) {
  while (!moves_.empty() && now - moves_.front() >= absl::Minutes(1)) {
    moves_.pop_front();
  }
}

bool PlacementControl::CanMove(absl::Duration now) const {
  if (!options_.automatic || residence_.RetriesLater()) return false;
  const bool moving = now - last_move_ < kMoveTakes;
  const bool rests =
      static_cast<int>(moves_.size()) >= options_.rules.most_surge_moves;
  // Settled, it is between two layers of a move, or the move has ended.
  return !residence_.settled() ? moving : !rests || !further_.empty();
}

void PlacementControl::Note(std::string move, absl::Duration now) {
  last_move_text_ = std::move(move);
  move_began_ = last_move_ = now;
}

bool PlacementControl::Dispensable(LayerExpert which,
                                   std::span<const PlacementPeer> peers) const {
  // A worker drops an expert only if one that comes later in an order keeps it,
  // so that the last one keeps it. With workers that have different orders,
  // only what comes later in both is later for all.
  const bool both_orders = std::any_of(
      peers.begin(), peers.end(),
      [](const PlacementPeer& peer) { return peer.ranks_by_layer; });
  const auto later = [&](const std::string& peer) {
    return std::pair(HolderRank(peer, which), peer) >
               std::pair(HolderRank(name_, which), name_) &&
           (!both_orders || std::pair(RendezvousRank(peer, which), peer) >
                                std::pair(RendezvousRank(name_, which), name_));
  };
  bool keeper = false;
  for (const PlacementPeer& peer : peers) {
    if (!peer.stays || peer.silent || !peer.resident.Has(which)) continue;
    if (file_) {
      const auto line = file_->find(peer.name);
      // The file tells what it keeps; without a line it keeps everything.
      if (line == file_->end() || line->second.Has(which)) return true;
    }
    keeper = keeper || later(peer.name);
  }
  return keeper;
}

PlacementReport PlacementControl::Report(absl::Duration now) {
  PlacementReport report;
  reported_.clear();
  for (int layer = config_.boundary; layer < config_.num_layers; ++layer) {
    for (int expert = 0; expert < config_.num_experts; ++expert) {
      const LayerExpert which = {layer, expert};
      const ExpertDemand::Use use = demand_.At(which, now);
      PlacedExpert placed = {layer, expert};
      placed.own_rows = Rounded(use.own);
      placed.absent_rows = Rounded(use.absent);
      placed.guest_rows = Rounded(use.guests);
      placed.recent_rows = Rounded(demand_.Recent(which, now).own);
      const auto held = residence_.held().find(which);
      if (held != residence_.held().end()) {
        placed.hold = held->second.hold;
        placed.since = WallSeconds(held->second.since);
      } else if (placed.own_rows == 0) {
        continue;
      }
      if (report.experts.size() == kMostEntries) break;
      report.experts.push_back(placed);
      reported_[which] = {static_cast<double>(placed.own_rows),
                          static_cast<double>(placed.recent_rows)};
    }
  }
  ForgetOldMoves(now);
  report.ranks_by_expert = true;
  report.moves = CanMove(now);
  // Until then it loads none, so nobody should leave it any.
  report.takes_orphans =
      options_.automatic && now - started_ >= options_.rules.between_moves;
  if (options_.automatic) report.most_resident = MostResident();
  if (static_cast<int>(Residents().size()) <= MostResident()) {
    crowded_since_.reset();
  } else if (!crowded_since_) {
    crowded_since_ = now;
  }
  report.loads_fail = reported_failing_ = options_.automatic && LoadsFail(now);
  report.last_move = last_move_text_;
  if (!last_move_text_.empty()) report.last_move_at = WallSeconds(last_move_);
  return report;
}

}  // namespace apollo

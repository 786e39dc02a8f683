#include "expert_worker/peer_exchange.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "common/check.h"
#include "common/log.h"

namespace apollo {
namespace {

// The time for which the times of a peer's answers are remembered.
constexpr absl::Duration kRemembered = absl::Seconds(5);

}  // namespace

void PeerExchange::AddPeer(LinkId id, const WorkerInfo& info,
                           std::shared_ptr<Link> link) {
  peers_[id] = {info, std::move(link)};
  directory_.Update(id, info);
}

bool PeerExchange::Update(LinkId id, const WorkerInfo& info) {
  const auto peer = peers_.find(id);
  if (peer == peers_.end() || peer->second.given_up ||
      !directory_.Update(id, info)) {
    return false;
  }
  peer->second.info = info;
  return true;
}

void PeerExchange::SetLeaving(LinkId id,
                              std::optional<std::uint64_t> last_sequence) {
  const auto peer = peers_.find(id);
  if (peer == peers_.end()) return;
  peer->second.leaving = last_sequence;
  directory_.SetLeaving(id, last_sequence.has_value());
}

void PeerExchange::CloseLeft(std::uint64_t oldest_sequence) {
  for (auto& [id, peer] : peers_) {
    if (peer.leaving && *peer.leaving < oldest_sequence) peer.link->Close();
  }
}

bool PeerExchange::Remove(LinkId id) {
  if (!peers_.contains(id)) return false;
  const Process process = ProcessOf(id);
  peers_.erase(id);
  directory_.Remove(id);
  answers_.Forget(id);
  times_.Forget(id);
  std::vector<std::pair<std::uint64_t, Try>> lost;
  for (const auto& [number, tried] : tries_) {
    if (tried.peer == id) lost.emplace_back(number, tried);
  }
  for (const auto& [number, tried] : lost) tries_.erase(number);
  for (const auto& [number, tried] : lost) {
    // It may be asked over another link.
    const auto owed = owed_.find(tried.ticket);
    if (owed != owed_.end()) owed->second.asked.erase(process);
    Failed(tried, number, absl::UnavailableError("an expert worker was lost"));
  }
  return true;
}

bool PeerExchange::PeersRun() const {
  return std::any_of(peers_.begin(), peers_.end(), [](const auto& entry) {
    return entry.second.info.running_sequences > 0;
  });
}

std::vector<PlacementPeer> PeerExchange::Holders(bool with_rows) const {
  std::map<Process, PlacementPeer> holders;
  for (const auto& [id, peer] : peers_) {
    const WorkerInfo& info = peer.info;
    if (peer.given_up || !info.ready ||
        !SameNumerics(info.numerics, numerics_)) {
      continue;
    }
    PlacementPeer& holder = holders[ProcessOf(id)];
    holder = {info.name, info.resident, !info.draining && !peer.leaving,
              info.placement.moves, info.placement.most_resident};
    holder.silent = peer.silent;
    holder.ranks_by_layer = !info.placement.ranks_by_expert;
    holder.takes_orphans = info.placement.takes_orphans;
    holder.loads_fail = info.placement.loads_fail;
    holder.reaches = info.reaches;
    if (!with_rows) continue;  // There may be thousands.
    for (const PlacedExpert& placed : info.placement.experts) {
      holder.own[{placed.layer, placed.expert}] = {
          static_cast<double>(placed.own_rows),
          static_cast<double>(placed.recent_rows)};
    }
  }
  std::vector<PlacementPeer> peers;
  for (auto& [process, peer] : holders) peers.push_back(std::move(peer));
  return peers;
}

PeerExchange::Process PeerExchange::ProcessOf(LinkId id) const {
  const WorkerInfo& info = peers_.at(id).info;
  return {info.name, info.instance};
}

PeerExchange::Ticket PeerExchange::Dispatch(int layer, AbsentRows rows) {
  const std::uint64_t number = next_number_++;
  Owed& owed = owed_[number];
  owed.which = {layer, rows.expert};
  owed.count = rows.rows.rows();
  owed.width = rows.rows.width();
  owed.rows = std::move(rows.rows);
  Place(number,
        absl::UnavailableError(absl::StrCat("no live worker has expert ",
                                            rows.expert, " of layer ", layer)));
  return Ticket(number);
}

std::optional<LinkId> PeerExchange::HolderFor(const Owed& owed,
                                              bool silent) const {
  std::optional<LinkId> slow;
  for (const LinkId id : directory_.Holders(owed.which.layer, owed.which.expert,
                                            numerics_, key_)) {
    if (peers_.at(id).silent != silent || owed.asked.contains(ProcessOf(id))) {
      continue;
    }
    if (!IsSlow(id)) return id;
    if (!slow) slow = id;
  }
  return slow;
}

void PeerExchange::Place(std::uint64_t number, const absl::Status& reason) {
  Owed& owed = owed_.at(number);
  owed.current = 0;
  owed.here = false;
  owed.placed_at = clock_.Now();
  RowsToPlace question;
  question.rows = owed.count;
  question.bytes_per_row =
      static_cast<std::int64_t>(sizeof(float)) * owed.width;
  const std::optional<LinkId> holder = HolderFor(owed, /*silent=*/false);
  if (holder) {
    question.rows_before = directory_.Load(*holder);
    if (IsSlow(*holder)) question.slow_answer = times_.UsualOf(*holder);
  }
  if (here_.compute != nullptr && !owed.here_failed) {
    question.bytes_to_load = here_.bytes_to_load(owed.which);
  }
  switch (PlaceRows(question)) {
    case RowsPlace::kPeer:
      return Send(number, *holder);
    case RowsPlace::kHere:
      owed.here = true;
      return here_.compute(number, owed.which, owed.rows.Slice(0, owed.count));
    case RowsPlace::kNowhere:
      break;
  }
  if (const auto silent = HolderFor(owed, /*silent=*/true)) {
    return Send(number, *silent);
  }
  owed.rows = Rows();
  owed.answer = reason;
}

void PeerExchange::Send(std::uint64_t number, LinkId to) {
  Owed& owed = owed_.at(number);
  const std::uint64_t on_wire = next_number_++;
  tries_[on_wire] = {to, number, clock_.Now()};
  if (std::exchange(owed.sent, true)) counters_.rows_resent += owed.count;
  owed.asked.insert(ProcessOf(to));
  owed.current = on_wire;
  counters_.rows_sent += owed.count;
  answers_.Asked(to);
  directory_.Assign(to, on_wire, {0, owed.count});
  peers_.at(to).link->Send(
      {ExpertRows{on_wire, owed.which.layer, owed.which.expert},
       owed.rows.Slice(0, owed.count)});
}

void PeerExchange::Failed(const Try& tried, std::uint64_t number,
                          const absl::Status& reason) {
  const auto owed = owed_.find(tried.ticket);
  if (owed != owed_.end() && owed->second.current == number) {
    Place(tried.ticket, reason);
  }
}

bool PeerExchange::IsAway(const Ticket& ticket) const {
  return owed_.at(ticket.number_).current != 0;
}

bool PeerExchange::Answered(const Ticket& ticket) const {
  return owed_.at(ticket.number_).answer.has_value();
}

bool PeerExchange::IsLate(const Ticket& ticket) const {
  const Owed& owed = owed_.at(ticket.number_);
  if (owed.answer) return false;
  absl::Duration limit = kLatest;
  absl::Duration expected = clock_.Now() - owed.placed_at;
  if (const auto tried = tries_.find(owed.current); tried != tries_.end()) {
    const LinkId peer = tried->second.peer;
    limit = std::min(limit, times_.LateAfter(peer));
    expected = std::max(expected, times_.UsualOf(peer));
  }
  return expected > limit;
}

absl::StatusOr<Rows> PeerExchange::Combine(Ticket ticket) {
  auto owed = owed_.extract(ticket.number_);
  APOLLO_CHECK(!owed.empty() && owed.mapped().answer.has_value());
  return *std::move(owed.mapped().answer);
}

absl::Status PeerExchange::TakeOutputs(LinkId from,
                                       const ExpertOutputs& outputs,
                                       Rows payload) {
  const auto it = tries_.find(outputs.ticket);
  if (it == tries_.end()) return absl::OkStatus();
  const Try tried = it->second;
  if (tried.peer != from) {
    return absl::InvalidArgumentError("expert outputs owed by another peer");
  }
  tries_.erase(it);
  answers_.Answered(from);
  const absl::Duration now = clock_.Now();
  times_.Took(from, now - tried.sent_at, now);
  directory_.Withdraw(from, outputs.ticket);
  const auto ticket = owed_.find(tried.ticket);
  if (ticket == owed_.end() || ticket->second.answer) {
    return absl::OkStatus();  // Answered by another.
  }
  Owed& owed = ticket->second;
  const bool current = owed.current == outputs.ticket;
  if (!outputs.status.ok()) {
    if (current) {
      Place(tried.ticket, absl::UnavailableError(outputs.status.message()));
    }
    return absl::OkStatus();
  }
  const std::size_t numbers = static_cast<std::size_t>(owed.count) *
                              static_cast<std::size_t>(owed.width);
  if (payload.numbers() != numbers) {
    if (current) {
      Place(tried.ticket,
            absl::UnavailableError("an expert worker violated the protocol"));
    }
    return absl::InvalidArgumentError(
        absl::StrCat("expert outputs of ", payload.numbers(),
                     " numbers instead of ", numbers));
  }
  TakeAnswer(owed, payload.Reshaped(owed.width));
  return absl::OkStatus();
}

void PeerExchange::TakeAnswer(Owed& owed, Rows outputs) {
  owed.current = 0;
  owed.here = false;
  owed.rows = Rows();
  owed.answer = std::move(outputs);
}

void PeerExchange::ComputedHere(std::uint64_t number, Rows outputs) {
  const auto it = owed_.find(number);
  if (it == owed_.end() || !it->second.here) return;
  counters_.rows_on_standby += it->second.count;
  TakeAnswer(it->second, std::move(outputs));
}

void PeerExchange::FailedHere(std::uint64_t number,
                              const absl::Status& status) {
  const auto it = owed_.find(number);
  if (it == owed_.end() || !it->second.here) return;
  it->second.here_failed = true;
  Place(number, absl::UnavailableError(status.message()));
}

void PeerExchange::Heard(LinkId from, const Frame& frame) {
  answers_.Heard(from, frame);
  const auto* report = std::get_if<Progress>(&frame.body);
  const auto peer = peers_.find(from);
  if (peer != peers_.end() && (report == nullptr || !report->still)) {
    peer->second.silent = false;
  }
}

void PeerExchange::HeardPiece(LinkId from) {
  answers_.Progressed(from);
  const auto peer = peers_.find(from);
  if (peer != peers_.end()) peer->second.silent = false;
}

bool PeerExchange::HasOtherPlace(const Owed& owed) const {
  return HolderFor(owed, /*silent=*/false).has_value() ||
         (here_.compute != nullptr && !owed.here_failed &&
          here_.bytes_to_load(owed.which).has_value());
}

void PeerExchange::SendAgain(absl::Duration lease, absl::Duration silent_after,
                             absl::Duration now) {
  times_.ForgetOlder(now - kRemembered);
  for (const auto& silent : {answers_.UnheardFor(lease, now),
                             answers_.SilentFor(silent_after, now)}) {
    for (const LinkId id : silent) {
      const auto peer = peers_.find(id);
      if (peer != peers_.end()) peer->second.silent = true;
    }
  }
  std::vector<std::pair<std::uint64_t, Try>> waiting;
  for (const auto& [number, tried] : tries_) {
    const auto owed = owed_.find(tried.ticket);
    if (peers_.at(tried.peer).silent && owed != owed_.end() &&
        owed->second.current == number && HasOtherPlace(owed->second)) {
      waiting.emplace_back(number, tried);
    }
  }
  for (const auto& [number, tried] : waiting) {
    Failed(tried, number, absl::UnavailableError("an expert worker is silent"));
  }
}

bool PeerExchange::GiveUpOnSilent(absl::Duration limit, absl::Duration now) {
  const std::vector<LinkId> silent = answers_.StillFor(limit, now);
  for (const LinkId id : silent) {
    LogError("expert_worker_timed_out",
             {{"peer", peers_.at(id).info.name},
              {"seconds", absl::ToDoubleSeconds(limit)}});
    GiveUp(id);
  }
  return !silent.empty();
}

void PeerExchange::GiveUp(LinkId id) {
  // Both processes may have dialled each other.
  const WorkerInfo gone = peers_.at(id).info;
  for (auto& [other, peer] : peers_) {
    if (peer.info.name != gone.name || peer.info.instance != gone.instance) {
      continue;
    }
    answers_.Forget(other);
    times_.Forget(other);
    peer.given_up = true;
    directory_.Remove(other);
    peer.link->Close();  // Remove follows.
  }
}

}  // namespace apollo

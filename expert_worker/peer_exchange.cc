#include "expert_worker/peer_exchange.h"

#include <absl/strings/str_cat.h>

#include "common/check.h"
#include "common/log.h"

namespace apollo {

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
  if (peers_.erase(id) == 0) return false;
  directory_.Remove(id);
  answers_.Forget(id);
  for (auto& [number, owed] : owed_) {
    if (owed.peer != id || owed.answer) continue;
    owed.answer = absl::UnavailableError("an expert worker was lost");
  }
  return true;
}

bool PeerExchange::PeersRun() const {
  return std::any_of(peers_.begin(), peers_.end(), [](const auto& entry) {
    return entry.second.info.running_sequences > 0;
  });
}

PeerExchange::Ticket PeerExchange::Dispatch(int layer, AbsentRows rows) {
  const std::uint64_t number = next_ticket_++;
  Owed& owed = owed_[number];
  const std::vector<LinkId> holders =
      directory_.Holders(layer, rows.expert, numerics_);
  if (holders.empty()) {
    owed.answer = absl::UnavailableError(absl::StrCat(
        "no live worker has expert ", rows.expert, " of layer ", layer));
    return Ticket(number);
  }
  owed.peer = holders.front();
  owed.rows = rows.rows.rows();
  owed.width = rows.rows.width();
  counters_.rows_sent += owed.rows;
  answers_.Asked(owed.peer);
  directory_.Assign(owed.peer, number, {0, owed.rows});
  peers_.at(owed.peer).link->Send(
      {ExpertRows{number, layer, rows.expert}, std::move(rows.rows)});
  return Ticket(number);
}

bool PeerExchange::Answered(const Ticket& ticket) const {
  return owed_.at(ticket.number_).answer.has_value();
}

absl::StatusOr<Rows> PeerExchange::Combine(Ticket ticket) {
  auto owed = owed_.extract(ticket.number_);
  APOLLO_CHECK(!owed.empty() && owed.mapped().answer.has_value());
  return *std::move(owed.mapped().answer);
}

absl::Status PeerExchange::TakeOutputs(LinkId from,
                                       const ExpertOutputs& outputs,
                                       Rows payload) {
  const auto it = owed_.find(outputs.ticket);
  if (it == owed_.end() || it->second.answer) return absl::OkStatus();
  Owed& owed = it->second;
  if (owed.peer != from) {
    return absl::InvalidArgumentError("expert outputs owed by another peer");
  }
  answers_.Answered(from);
  directory_.Withdraw(from, outputs.ticket);
  if (!outputs.status.ok()) {
    owed.answer = absl::UnavailableError(outputs.status.message());
    return absl::OkStatus();
  }
  const std::size_t numbers = static_cast<std::size_t>(owed.rows) *
                              static_cast<std::size_t>(owed.width);
  if (payload.numbers() != numbers) {
    owed.answer =
        absl::UnavailableError("an expert worker violated the protocol");
    return absl::InvalidArgumentError(
        absl::StrCat("expert outputs of ", payload.numbers(),
                     " numbers instead of ", numbers));
  }
  owed.answer = payload.Reshaped(owed.width);
  return absl::OkStatus();
}

bool PeerExchange::GiveUpOnSilent(absl::Duration limit, absl::Duration now) {
  const std::vector<LinkId> silent = answers_.SilentFor(limit, now);
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
    peer.given_up = true;
    directory_.Remove(other);
    peer.link->Close();  // Remove follows.
  }
}

}  // namespace apollo

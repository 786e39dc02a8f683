#include "link/peer_set.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "common/log.h"

namespace apollo {

PeerSet::PeerSet(Dialer dialer, WorkerInfo self, LinkEvents& events,
                 const Clock& clock)
    : dialer_(std::move(dialer)),
      self_(std::move(self)),
      events_(events),
      clock_(clock) {}

PeerSet::~PeerSet() {
  std::vector<std::shared_ptr<Link>> links;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (auto& [address, peer] : peers_) {
      if (peer.link) links.push_back(peer.link);
    }
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  for (const auto& link : links) link->Close();
  MutexLock lock(mutex_);
  const auto any_open = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return std::any_of(peers_.begin(), peers_.end(), [](const auto& entry) {
      return entry.second.session != nullptr;
    });
  };
  while (any_open()) changed_.wait(mutex_);
}

void PeerSet::SetMembers(const std::vector<std::string>& addresses) {
  {
    MutexLock lock(mutex_);
    members_ = {addresses.begin(), addresses.end()};
    members_changed_ = true;
  }
  changed_.notify_all();
}

void PeerSet::Start() {
  thread_ = std::thread([this] {
    for (;;) {
      Poll();
      MutexLock lock(mutex_);
      if (!stopping_ && !members_changed_) {
        changed_.wait_for(mutex_, absl::ToChronoMilliseconds(kPollInterval));
      }
      if (stopping_) return;
    }
  });
}

void PeerSet::Poll() {
  std::vector<std::pair<std::string, std::shared_ptr<LinkSession>>> to_dial;
  // Links whose address has left the list or is listed again.
  std::vector<std::pair<std::shared_ptr<LinkSession>, bool>> to_tell;
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    members_changed_ = false;
    for (const std::string& address : members_) {
      Peer& peer = peers_[address];
      if (peer.session != nullptr || peer.is_self ||
          clock_.Now() < peer.next_dial) {
        continue;
      }
      peer.session = std::make_shared<LinkSession>(
          self_, events_,
          [this, address](const absl::Status& status, const std::string& name) {
            Ended(address, status, name);
          });
      peer.dialed_at = clock_.Now();
      to_dial.emplace_back(address, peer.session);
    }
    for (auto it = peers_.begin(); it != peers_.end();) {
      Peer& peer = it->second;
      const bool leaving = !members_.contains(it->first);
      if (leaving && peer.session == nullptr) {
        it = peers_.erase(it);
        continue;
      }
      if (leaving != peer.leaving) to_tell.emplace_back(peer.session, leaving);
      peer.leaving = leaving;
      ++it;
    }
  }
  for (const auto& [address, session] : to_dial) Dial(address, session);
  for (const auto& [session, leaving] : to_tell) session->SetLeaving(leaving);
}

std::vector<ListedWorker> PeerSet::Describe() {
  std::vector<ListedWorker> workers;
  std::vector<std::shared_ptr<LinkSession>> sessions;  // Null: no link.
  {
    MutexLock lock(mutex_);
    for (const auto& [address, peer] : peers_) {
      if (peer.is_self) continue;
      workers.push_back(
          {.address = address, .info = peer.last, .reason = peer.lost});
      sessions.push_back(peer.session);
    }
  }
  for (std::size_t i = 0; i < workers.size(); ++i) {
    if (sessions[i] == nullptr) continue;
    workers[i].linked = sessions[i]->IsUp();
    if (workers[i].linked) workers[i].reason.clear();
    if (auto info = sessions[i]->Peer()) workers[i].info = std::move(info);
  }
  return workers;
}

void PeerSet::Dial(const std::string& address,
                   const std::shared_ptr<LinkSession>& session) {
  const std::shared_ptr<Link> link = dialer_(address, session);
  bool stopping = false;
  {
    MutexLock lock(mutex_);
    const auto it = peers_.find(address);
    // The link may have ended already.
    if (it != peers_.end() && it->second.session == session) {
      it->second.link = link;
    }
    stopping = stopping_;
  }
  session->Begin(link);
  if (stopping) link->Close();
}

void PeerSet::Ended(const std::string& address, const absl::Status& status,
                    const std::string& name) {
  MutexLock lock(mutex_);
  Peer& peer = peers_.at(address);
  if (peer.session != nullptr) {
    if (auto info = peer.session->Peer()) peer.last = std::move(info);
  }
  peer.lost = std::string(status.message());
  peer.session = nullptr;
  peer.link = nullptr;
  peer.is_self = status.code() == absl::StatusCode::kAlreadyExists;
  const absl::Duration now = clock_.Now();
  peer.failures =
      now - peer.dialed_at > 2 * kLongestPause ? 0 : peer.failures + 1;
  const absl::Duration pause =
      kFirstPause * (1 << std::clamp(peer.failures - 1, 0, 10));
  peer.next_dial = now + std::min(pause, kLongestPause);
  if (!peer.is_self && !peer.leaving && !stopping_ && peer.failures == 1) {
    std::vector<LogField> fields = {{"address", address}};
    // One that does not answer is still known from its last link.
    if (!name.empty()) {
      fields.emplace_back("peer", name);
    } else if (peer.last) {
      fields.emplace_back("peer", peer.last->name);
    }
    fields.emplace_back("code", absl::StatusCodeToString(status.code()));
    fields.emplace_back("reason", std::string(status.message()));
    LogWarning("link_lost", fields);
  }
  // With the lock held, because the destructor waits for this.
  changed_.notify_all();
}

}  // namespace apollo

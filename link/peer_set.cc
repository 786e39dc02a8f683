#include "link/peer_set.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "common/log.h"

namespace apollo {

PeerSet::PeerSet(Membership membership, Dialer dialer, Hello self,
                 LinkEvents& events, const Clock& clock)
    : dialer_(std::move(dialer)),
      self_(std::move(self)),
      events_(events),
      clock_(clock),
      membership_(std::move(membership)) {}

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
    return std::any_of(peers_.begin(), peers_.end(),
                       [](const auto& entry) { return entry.second.dialing; });
  };
  while (any_open()) changed_.wait(mutex_);
}

void PeerSet::Start() {
  thread_ = std::thread([this] {
    for (;;) {
      Poll();
      MutexLock lock(mutex_);
      if (stopping_) return;
      changed_.wait_for(mutex_, absl::ToChronoMilliseconds(kPollInterval));
      if (stopping_) return;
    }
  });
}

void PeerSet::Poll() {
  std::vector<std::string> to_dial;
  std::vector<std::shared_ptr<Link>> to_close;
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    const std::vector<std::string>& members = membership_.Current();
    for (const std::string& address : members) {
      Peer& peer = peers_[address];
      if (peer.dialing || peer.is_self || clock_.Now() < peer.next_dial) {
        continue;
      }
      peer.dialing = true;
      peer.dialed_at = clock_.Now();
      to_dial.push_back(address);
    }
    for (auto it = peers_.begin(); it != peers_.end();) {
      const bool member =
          std::find(members.begin(), members.end(), it->first) != members.end();
      if (member) {
        ++it;
      } else if (it->second.dialing) {
        if (it->second.link) to_close.push_back(it->second.link);
        ++it;
      } else {
        it = peers_.erase(it);
      }
    }
  }
  for (const std::string& address : to_dial) {
    auto session = std::make_shared<LinkSession>(
        self_, events_, [this, address](const absl::Status& status) {
          Ended(address, status);
        });
    std::shared_ptr<Link> link = dialer_(address, session);
    bool stopping = false;
    {
      MutexLock lock(mutex_);
      Peer& peer = peers_[address];
      if (peer.dialing) peer.link = link;
      stopping = stopping_;
    }
    session->Begin(link);
    if (stopping) link->Close();
  }
  for (const auto& link : to_close) link->Close();
}

void PeerSet::Ended(const std::string& address, const absl::Status& status) {
  {
    MutexLock lock(mutex_);
    const auto it = peers_.find(address);
    if (it != peers_.end()) {
      Peer& peer = it->second;
      peer.dialing = false;
      peer.link = nullptr;
      peer.is_self = status.code() == absl::StatusCode::kAlreadyExists;
      const absl::Duration now = clock_.Now();
      peer.failures =
          now - peer.dialed_at > 2 * kLongestPause ? 0 : peer.failures + 1;
      const absl::Duration pause =
          kFirstPause * (1 << std::clamp(peer.failures - 1, 0, 10));
      peer.next_dial = now + std::min(pause, kLongestPause);
      if (!peer.is_self && !stopping_ && peer.failures == 1) {
        LogWarning("link_lost",
                   {{"address", address},
                    {"code", absl::StatusCodeToString(status.code())},
                    {"reason", std::string(status.message())}});
      }
    }
    changed_.notify_all();
  }
}

}  // namespace apollo

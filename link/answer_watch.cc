#include "link/answer_watch.h"

#include <algorithm>
#include <variant>

namespace apollo {
namespace {

// Several intervals of reports. Longer gaps are this process's own: it handles
// late what has waited, and a peer has not stood still all that time.
constexpr absl::Duration kLongestGap = absl::Milliseconds(200);

}  // namespace

void AnswerWatch::Asked(LinkId id) {
  Peer& peer = links_[id];
  if (peer.answers++ > 0) return;
  peer.moved = clock_.Now();
  peer.stood = absl::ZeroDuration();
  // Regular reports come from peers without work, too.
  if (!peer.regular) peer.heard = peer.moved;
}

void AnswerWatch::Answered(LinkId id) {
  const auto it = links_.find(id);
  if (it == links_.end() || it->second.answers == 0) return;
  Progressed(id);
  if (--it->second.answers == 0 && !it->second.regular) links_.erase(it);
}

void AnswerWatch::Heard(LinkId id, const Frame& frame) {
  const auto* report = std::get_if<Progress>(&frame.body);
  if (report != nullptr && report->regular) {
    Peer& peer = links_[id];
    peer.regular = true;
    Acknowledged(peer, *report, frame.sent);
  }
  if (report == nullptr || !report->still) return Progressed(id);
  const auto it = links_.find(id);
  if (it == links_.end()) return;
  Peer& peer = it->second;
  const absl::Duration now = clock_.Now();
  peer.stood += std::min(now - std::max(peer.heard, peer.moved), kLongestGap);
  peer.heard = now;
}

void AnswerWatch::Acknowledged(Peer& peer, const Progress& report,
                               std::uint64_t sent) {
  const absl::Duration now = clock_.Now();
  const auto behind = report.received && *report.received < sent
                          ? report.received
                          : std::nullopt;
  if (behind && behind == peer.behind) {
    peer.unreached += std::min(now - peer.reported, kLongestGap);
  } else {
    peer.unreached = absl::ZeroDuration();
  }
  peer.behind = behind;
  peer.reported = now;
}

void AnswerWatch::Progressed(LinkId id) {
  const auto it = links_.find(id);
  if (it == links_.end()) return;
  Peer& peer = it->second;
  if (peer.answers > 0) {
    peer.granted = std::max(peer.granted, 2 * peer.stood);
  }
  peer.stood = absl::ZeroDuration();
  peer.heard = peer.moved = clock_.Now();
}

std::vector<LinkId> AnswerWatch::UnheardFor(absl::Duration lease,
                                            absl::Duration now) const {
  std::vector<LinkId> unheard;
  for (const auto& [id, peer] : links_) {
    if (peer.answers > 0 && peer.regular &&
        (now - peer.heard > lease || peer.unreached > lease)) {
      unheard.push_back(id);
    }
  }
  return unheard;
}

std::vector<LinkId> AnswerWatch::StillFor(absl::Duration limit,
                                          absl::Duration now) const {
  std::vector<LinkId> still;
  for (const auto& [id, peer] : links_) {
    if (peer.answers > 0 && now - peer.moved > limit) still.push_back(id);
  }
  return still;
}

std::vector<LinkId> AnswerWatch::SilentFor(absl::Duration limit,
                                           absl::Duration now) const {
  std::vector<LinkId> silent;
  for (const auto& [id, peer] : links_) {
    if (peer.answers > 0 && now - peer.moved > std::max(limit, peer.granted)) {
      silent.push_back(id);
    }
  }
  return silent;
}

}  // namespace apollo

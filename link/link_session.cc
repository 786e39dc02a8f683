#include "link/link_session.h"

#include <atomic>
#include <random>
#include <utility>

#include "common/log.h"
#include "link/peer_check.h"
#include "link/previous_wire.h"

namespace apollo {
namespace {

// Maximum number of frames between our hello and the announcement.
constexpr std::size_t kMaxEarlyFrames = 64;

LinkId NextLinkId() {
  static std::atomic<LinkId> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t ProcessInstance() {
  static const std::uint64_t instance = [] {
    std::random_device random;
    return std::uint64_t{random()} << 32 | random() | 1;
  }();
  return instance;
}

// Returns the description with what the link says of itself.
WorkerInfo OnLink(WorkerInfo info) {
  if (info.instance == 0) info.instance = ProcessInstance();
  info.keeps_placement = true;
  return info;
}

}  // namespace

LinkSession::LinkSession(WorkerInfo self, LinkEvents& events, Ended ended)
    : id_(NextLinkId()),
      self_(OnLink(std::move(self))),
      events_(events),
      ended_(std::move(ended)) {}

void LinkSession::Announce() {
  if (up_ || closed_ || !refusal_.ok() || !link_ || !peer_) return;
  up_ = true;
  if (peer_->wire_version > 0 &&
      peer_->tokenizer_hash.empty() != self_.tokenizer_hash.empty()) {
    LogWarning("tokenizers_not_compared",
               {{"peer", peer_->name},
                {"reason", "one of the two has no tokenizer.json"}});
  }
  events_.OnLinkUp(id_, *peer_,
                   peer_->wire_version == 0
                       ? MakePreviousWireLink(link_, peer_->role)
                       : link_);
  for (Frame& frame : early_) PassOn(std::move(frame));
  early_.clear();
}

void LinkSession::PassOn(Frame frame) {
  auto* const reach = std::get_if<Reach>(&frame.body);
  if (reach != nullptr && peer_->wire_version == 0) {
    *peer_ = InfoFromReach(std::move(*peer_), std::move(*reach));
    frame.body = *peer_;
    latest_ = peer_;
  } else if (auto* const info = std::get_if<WorkerInfo>(&frame.body)) {
    // The identity of a peer does not change.
    info->role = peer_->role;
    info->name = peer_->name;
    info->model_hash = peer_->model_hash;
    info->config_hash = peer_->config_hash;
    info->tokenizer_hash = peer_->tokenizer_hash;
    info->numerics = peer_->numerics;
    info->instance = peer_->instance;
    info->keeps_placement = peer_->keeps_placement;
    if (std::exchange(info->same_placement, false) && latest_) {
      info->placement = latest_->placement;
    }
    latest_ = *info;
  }
  events_.OnLinkFrame(id_, std::move(frame));
}

void LinkSession::Begin(std::shared_ptr<Link> link) {
  // Before the announcement, because its receiver may send at once, and the
  // peer accepts nothing before the hello.
  link->Send({self_, {}});
  bool refused = false;
  {
    MutexLock lock(mutex_);
    if (closed_) return;
    link_ = link;
    refused = !refusal_.ok();
    Announce();
  }
  if (refused) link->Close();
}

void LinkSession::SetLeaving(bool leaving) {
  std::shared_ptr<Link> to_close;
  {
    MutexLock lock(mutex_);
    if (closed_) return;
    if (up_) {
      events_.OnLinkLeaving(id_, leaving);
      return;
    }
    if (!leaving || !refusal_.ok()) return;
    refusal_ = absl::CancelledError("the peer has left the list of workers");
    to_close = link_;
  }
  // If there is no link yet, Begin closes it.
  if (to_close) to_close->Close();
}

std::optional<WorkerInfo> LinkSession::Peer() {
  MutexLock lock(mutex_);
  return latest_ ? latest_ : peer_;
}

bool LinkSession::IsUp() {
  MutexLock lock(mutex_);
  return up_ && !closed_;
}

void LinkSession::OnPiece() {
  MutexLock lock(mutex_);
  if (up_ && !closed_) events_.OnLinkPiece(id_);
}

void LinkSession::OnFrame(Frame frame) {
  std::shared_ptr<Link> to_close;
  {
    MutexLock lock(mutex_);
    if (closed_ || !refusal_.ok()) return;
    if (up_) {
      PassOn(std::move(frame));
      return;
    }
    if (peer_ && early_.size() < kMaxEarlyFrames) {
      // Begin has sent our hello but has not reached the announcement.
      early_.push_back(std::move(frame));
      return;
    }
    const WorkerInfo* info = std::get_if<WorkerInfo>(&frame.body);
    if (info != nullptr && !peer_) peer_name_ = info->name;
    refusal_ = info != nullptr && !peer_
                   ? CheckPeer(self_, *info)
                   : absl::InvalidArgumentError(
                         "the peer's first frame is not a worker description");
    if (refusal_.ok()) {
      peer_ = *info;
      Announce();
      return;
    }
    to_close = link_;
  }
  if (to_close) to_close->Close();
}

void LinkSession::OnClosed(absl::Status status) {
  std::string peer;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    peer = peer_name_;
    link_ = nullptr;
    if (!refusal_.ok()) status = refusal_;
    if (up_) events_.OnLinkDown(id_, status);
  }
  if (ended_) ended_(status, peer);
}

}  // namespace apollo

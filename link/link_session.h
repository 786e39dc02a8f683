#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "common/mutex.h"
#include "link/link.h"

namespace apollo {

// Names one link of this process for as long as it is open; never reused.
using LinkId = std::uint64_t;

// What a worker sees of its links. Calls for one link come one at a time and in
// this order: up, frames and leaving, down. They must return quickly and must
// not send or close.
class LinkEvents {
 public:
  virtual ~LinkEvents() = default;
  // The peer has said who it is, and serves the same model. That its engine
  // runs, and all that changes later, comes as frames.
  virtual void OnLinkUp(LinkId id, const WorkerInfo& peer,
                        std::shared_ptr<Link> link) = 0;
  virtual void OnLinkFrame(LinkId id, Frame frame) = 0;
  // The peer has left the list of workers, or is on it again. Nothing new is to
  // be begun with a peer that leaves; its link is not dialled again, and
  // whoever hears this closes it once nothing needs it any more.
  virtual void OnLinkLeaving(LinkId id, bool leaving) = 0;
  virtual void OnLinkDown(LinkId id, absl::Status status) = 0;
  // Link::HasRoom is true again. May come while other calls are under way, and
  // after OnLinkDown.
  virtual void OnLinkWritable(LinkId) {}
};

// One end of a link from its opening: says who this worker is and hears who the
// peer is; refuses a peer that must not be joined (link/peer_check.h); passes
// frames on.
class LinkSession final : public FrameHandler {
 public:
  // `self`: an instance of 0 stands for this process's own. `events` must
  // outlive the session. `ended`, if given, is called once when the link is
  // closed, up or not; with the error of CheckPeer for a peer that was refused.
  LinkSession(WorkerInfo self, LinkEvents& events,
              std::function<void(absl::Status)> ended);

  // The link whose handler this is. Says who this worker is.
  void Begin(std::shared_ptr<Link> link);

  // Says whether the peer's address has left the list of workers. A link that
  // is not up yet is closed if it has.
  void SetLeaving(bool leaving);

  void OnFrame(Frame frame) override;
  void OnWritable() override { events_.OnLinkWritable(id_); }
  void OnClosed(absl::Status status) override;

 private:
  // Says that the link is up once both sides are known.
  void Announce() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Hands a frame to `events`, in the form of today's wire.
  void PassOn(Frame frame) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const LinkId id_;
  const WorkerInfo self_;
  LinkEvents& events_;
  const std::function<void(absl::Status)> ended_;

  Mutex mutex_;
  std::shared_ptr<Link> link_ ABSL_GUARDED_BY(mutex_);
  std::optional<WorkerInfo> peer_ ABSL_GUARDED_BY(mutex_);
  // Came between the peer's hello and Begin's announcement.
  std::vector<Frame> early_ ABSL_GUARDED_BY(mutex_);
  bool up_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo

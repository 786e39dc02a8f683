#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "link/link.h"

namespace apollo {

// Identifies a link within this process; never reused.
using LinkId = std::uint64_t;

// Receives the events of a worker's links. Calls for one link come one at a
// time and in this order: up, frames and leaving, down. They must return
// quickly and must not send or close.
class LinkEvents {
 public:
  virtual ~LinkEvents() = default;
  // The peer has identified itself and serves the same model. Frames report
  // later that its engine runs, and all changes.
  virtual void OnLinkUp(LinkId id, const WorkerInfo& peer,
                        std::shared_ptr<Link> link) = 0;
  virtual void OnLinkFrame(LinkId id, Frame frame) = 0;
  // The peer has left the list of workers, or is listed again. A leaving peer
  // must get no new work. Its link is not redialled, and the receiver of this
  // call closes it when nothing needs it any more.
  virtual void OnLinkLeaving(LinkId id, bool leaving) = 0;
  virtual void OnLinkDown(LinkId id, absl::Status status) = 0;
  // A part of a large frame has come, which shows that the peer lives. Called
  // in turn with the above.
  virtual void OnLinkPiece(LinkId) {}
  // Link::HasRoom is true again. May be called during other calls and after
  // OnLinkDown.
  virtual void OnLinkWritable(LinkId) {}
};

// One end of a link. Exchanges the descriptions of this worker and the peer,
// refuses a peer that must not be linked (link/peer_check.h), and passes frames
// on.
class LinkSession final : public FrameHandler {
 public:
  // An instance of 0 in `self` stands for that of this process. `events` must
  // outlive the session. `ended`, if given, is called once when the link is
  // closed, even if it was never up; for a refused peer with the error of
  // CheckPeer. `peer` is the name that the peer has given, also a refused one;
  // empty: none yet.
  using Ended = std::function<void(absl::Status, const std::string& peer)>;
  LinkSession(WorkerInfo self, LinkEvents& events, Ended ended);

  // Begins the session on its link: sends the description of this worker.
  void Begin(std::shared_ptr<Link> link);

  // Sets whether the peer's address has left the list of workers. If so, closes
  // a link that is not up yet.
  void SetLeaving(bool leaving);

  // Returns the peer's last description; nullopt before the first.
  std::optional<WorkerInfo> Peer();
  // Returns true from the announcement of the link to its end.
  bool IsUp();

  void OnFrame(Frame frame) override;
  void OnPiece() override;
  void OnWritable() override { events_.OnLinkWritable(id_); }
  void OnClosed(absl::Status status) override;

 private:
  // Announces the link if both sides are known.
  void Announce() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Passes a frame to `events`, converted to the current wire version, a
  // description with the placement that it may have left out.
  void PassOn(Frame frame) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const LinkId id_;
  const WorkerInfo self_;
  LinkEvents& events_;
  const Ended ended_;

  Mutex mutex_;
  std::shared_ptr<Link> link_ ABSL_GUARDED_BY(mutex_);
  std::optional<WorkerInfo> peer_ ABSL_GUARDED_BY(mutex_);
  std::optional<WorkerInfo> latest_ ABSL_GUARDED_BY(mutex_);  // Its last state.
  // Frames that came between the peer's hello and the announcement.
  std::vector<Frame> early_ ABSL_GUARDED_BY(mutex_);
  bool up_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);
  std::string peer_name_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo

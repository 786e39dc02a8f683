#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>

#include "common/log.h"
#include "common/mutex.h"
#include "link/grpc_link.h"
#include "link/link_session.h"

namespace apollo {

// Accepts the links that other workers open, with a session for each that
// introduces this worker. `events` must outlive the acceptor, and the acceptor
// all links.
class WorkerLinkAcceptor final : public LinkAcceptor {
 public:
  WorkerLinkAcceptor(WorkerInfo self, LinkEvents& events)
      : self_(std::move(self)), events_(events) {}

  std::shared_ptr<FrameHandler> OnAccept(std::shared_ptr<Link> link) override {
    auto session = std::make_shared<LinkSession>(
        self_, events_,
        [this](const absl::Status& status, const std::string& peer) {
          // The peer learns only that the link has ended.
          if (status.code() == absl::StatusCode::kFailedPrecondition ||
              status.code() == absl::StatusCode::kPermissionDenied) {
            LogOnce(peer, std::string(status.message()));
          }
        });
    session->Begin(std::move(link));
    return session;
  }

 private:
  // A refused peer redials again and again.
  void LogOnce(const std::string& peer, const std::string& reason) {
    {
      MutexLock lock(mutex_);
      if (reasons_.size() >= kMaxReasons || !reasons_.insert(reason).second) {
        return;
      }
    }
    LogWarning("link_refused", {{"peer", peer}, {"reason", reason}});
  }

  static constexpr std::size_t kMaxReasons = 100;

  const WorkerInfo self_;
  LinkEvents& events_;
  Mutex mutex_;
  std::set<std::string> reasons_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo

#pragma once

#include <memory>
#include <string>
#include <utility>

#include "common/log.h"
#include "link/grpc_link.h"
#include "link/link_session.h"

namespace apollo {

// Takes the links that other workers open: each gets a session that introduces
// this worker. `events` must outlive the acceptor.
class WorkerLinkAcceptor final : public LinkAcceptor {
 public:
  WorkerLinkAcceptor(Hello self, LinkEvents& events)
      : self_(std::move(self)), events_(events) {}

  std::shared_ptr<FrameHandler> OnAccept(std::shared_ptr<Link> link) override {
    auto session = std::make_shared<LinkSession>(
        self_, events_, [](const absl::Status& status) {
          // The peer hears only that the link has ended.
          if (status.code() != absl::StatusCode::kFailedPrecondition) return;
          LogWarning("link_refused", {{"reason", std::string(status.message())}});
        });
    session->Begin(std::move(link));
    return session;
  }

 private:
  const Hello self_;
  LinkEvents& events_;
};

}  // namespace apollo

#pragma once

#include <memory>

#include "link/grpc_link.h"
#include "link/link.h"
#include "worker/link_counters.h"

namespace apollo {

// Returns a dialer for the links of `dialer` that counts them and their frames.
// `counting` must outlive the dialer and its links.
Dialer Counted(Dialer dialer, LinkCounting& counting);

// Counts the links that peers open, and their frames, on their way to another
// acceptor. Both must outlive it and its links.
class CountedAcceptor final : public LinkAcceptor {
 public:
  CountedAcceptor(LinkAcceptor& acceptor, LinkCounting& counting)
      : acceptor_(acceptor), counting_(counting) {}
  std::shared_ptr<FrameHandler> OnAccept(std::shared_ptr<Link> link) override;

 private:
  LinkAcceptor& acceptor_;
  LinkCounting& counting_;
};

}  // namespace apollo

#pragma once

#include <absl/time/time.h>

#include <functional>
#include <memory>
#include <vector>

#include "common/mutex.h"
#include "common/ticker.h"
#include "link/grpc_link.h"
#include "link/link.h"
#include "link/nccl/nccl_link.h"

namespace apollo {

// All links of a process with a device path (link/nccl/nccl_link.h), and the
// watchdog that checks their deadlines. Thread-safe.
class NcclLinks {
 public:
  // The watchdog is a thread that calls Watch every `watch_interval`; if that
  // is 0, the owner calls it.
  NcclLinks(NcclLinkOptions options, absl::Duration watch_interval);
  // Aborts what is under way and waits for the links' threads. The links should
  // have closed before; those that have not lose their device paths.
  ~NcclLinks();

  // Returns a dialer for links whose carriers `dialer` dials.
  Dialer Wrap(Dialer dialer);

  // Puts a device path on a link that a peer has opened. `accept` is given the
  // link and returns who receives its frames, or null to refuse it. Returns
  // who receives the carrier's frames, or null.
  std::shared_ptr<FrameHandler> Accept(
      std::shared_ptr<Link> carrier,
      const std::function<std::shared_ptr<FrameHandler>(std::shared_ptr<Link>)>&
          accept);

  // Checks the deadlines of all links. One thread; does not wait for NCCL,
  // except to abort.
  void Watch();

 private:
  std::shared_ptr<NcclLink> NewLink();

  const NcclLinkOptions options_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::shared_ptr<NcclLink>> links_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Ticker> watchdog_;
};

// Has the links that peers open pass through `links`, which must outlive it.
class NcclAcceptor final : public LinkAcceptor {
 public:
  NcclAcceptor(NcclLinks& links, LinkAcceptor& acceptor)
      : links_(links), acceptor_(acceptor) {}
  std::shared_ptr<FrameHandler> OnAccept(std::shared_ptr<Link> link) override;

 private:
  NcclLinks& links_;
  LinkAcceptor& acceptor_;
};

}  // namespace apollo

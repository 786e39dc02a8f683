#include "link/nccl/nccl_links.h"

#include <utility>

namespace apollo {

NcclLinks::NcclLinks(NcclLinkOptions options, absl::Duration watch_interval)
    : options_(std::move(options)) {
  if (watch_interval > absl::ZeroDuration()) {
    watchdog_ = std::make_unique<Ticker>(watch_interval, [this] { Watch(); });
  }
}

NcclLinks::~NcclLinks() {
  {
    MutexLock lock(mutex_);
    for (const auto& link : links_) link->Stop();
    // The watchdog frees threads that are stuck in NCCL.
    while (watchdog_ && !links_.empty()) changed_.wait(mutex_);
  }
  watchdog_ = nullptr;
  MutexLock lock(mutex_);
  for (const auto& link : links_) link->Join();
}

std::shared_ptr<NcclLink> NcclLinks::NewLink() {
  auto link = std::make_shared<NcclLink>(options_);
  MutexLock lock(mutex_);
  links_.push_back(link);
  return link;
}

Dialer NcclLinks::Wrap(Dialer dialer) {
  return [this, dialer = std::move(dialer)](
             const std::string& address,
             std::shared_ptr<FrameHandler> handler) -> std::shared_ptr<Link> {
    const std::shared_ptr<NcclLink> link = NewLink();
    link->SetHandler(std::move(handler));
    link->SetCarrier(dialer(address, link));
    return link;
  };
}

std::shared_ptr<FrameHandler> NcclLinks::Accept(
    std::shared_ptr<Link> carrier,
    const std::function<std::shared_ptr<FrameHandler>(std::shared_ptr<Link>)>&
        accept) {
  const std::shared_ptr<NcclLink> link = NewLink();
  link->SetCarrier(std::move(carrier));
  std::shared_ptr<FrameHandler> handler = accept(link);
  if (handler == nullptr) {
    link->Drop();
    return nullptr;
  }
  link->SetHandler(std::move(handler));
  return link;
}

void NcclLinks::Watch() {
  std::vector<std::shared_ptr<NcclLink>> open, closed;
  {
    MutexLock lock(mutex_);
    for (auto& link : links_) {
      (link->ended() ? closed : open).push_back(std::move(link));
    }
    links_ = open;
    changed_.notify_all();
  }
  for (const auto& link : open) link->Watch();
}

std::shared_ptr<FrameHandler> NcclAcceptor::OnAccept(
    std::shared_ptr<Link> link) {
  return links_.Accept(std::move(link), [this](std::shared_ptr<Link> wrapped) {
    return acceptor_.OnAccept(std::move(wrapped));
  });
}

}  // namespace apollo

#include "link/in_process_link.h"

#include "common/mutex.h"

namespace apollo {
namespace {

// What both ends share: for each direction, who receives, one call at a time.
struct Channel {
  struct Direction {
    Mutex mutex;
    std::shared_ptr<FrameHandler> receiver ABSL_GUARDED_BY(mutex);
  };
  Direction to[2];

  void Deliver(int receiver, Frame frame) {
    MutexLock lock(to[receiver].mutex);
    if (to[receiver].receiver) to[receiver].receiver->OnFrame(std::move(frame));
  }

  void Close(int closer) {
    for (int end = 0; end < 2; ++end) {
      std::shared_ptr<FrameHandler> handler;
      {
        MutexLock lock(to[end].mutex);
        handler = std::move(to[end].receiver);
        to[end].receiver = nullptr;
      }
      if (handler) {
        handler->OnClosed(end == closer ? absl::OkStatus()
                                        : absl::UnavailableError(
                                              "the peer closed the link"));
      }
    }
  }
};

class InProcessLink final : public Link {
 public:
  InProcessLink(std::shared_ptr<Channel> channel, int end)
      : channel_(std::move(channel)), end_(end) {}

  void Send(Frame frame) override {
    channel_->Deliver(1 - end_, std::move(frame));
  }
  void Close() override { channel_->Close(end_); }

 private:
  const std::shared_ptr<Channel> channel_;
  const int end_;
};

}  // namespace

std::pair<std::shared_ptr<Link>, std::shared_ptr<Link>> MakeInProcessLink(
    std::shared_ptr<FrameHandler> first_handler,
    std::shared_ptr<FrameHandler> second_handler) {
  auto channel = std::make_shared<Channel>();
  {
    MutexLock lock(channel->to[0].mutex);
    channel->to[0].receiver = std::move(first_handler);
  }
  {
    MutexLock lock(channel->to[1].mutex);
    channel->to[1].receiver = std::move(second_handler);
  }
  return {std::make_shared<InProcessLink>(channel, 0),
          std::make_shared<InProcessLink>(channel, 1)};
}

}  // namespace apollo

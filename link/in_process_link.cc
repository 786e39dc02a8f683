#include "link/in_process_link.h"

#include <deque>
#include <optional>
#include <thread>
#include <variant>

#include "common/mutex.h"

namespace apollo {
namespace {

// What both ends share: for each direction, who receives, and what waits.
// Whoever finds nobody delivering delivers until nothing waits, without a lock,
// so that handlers may use the link.
class Channel {
 public:
  Channel(std::shared_ptr<FrameHandler> first,
          std::shared_ptr<FrameHandler> second) {
    MutexLock lock(mutex_);
    to_[0].receiver = std::move(first);
    to_[1].receiver = std::move(second);
  }

  void Send(int receiver, Frame frame) {
    Deliver(receiver, Event(std::move(frame)));
  }

  void Close(int closer) {
    Deliver(closer, Event(absl::OkStatus()));
    Deliver(1 - closer,
            Event(absl::UnavailableError("the peer closed the link")));
    // Whoever closes may destroy what the handlers use. A handler that closes
    // the link is itself one of those to wait for, and cannot.
    MutexLock lock(mutex_);
    const std::thread::id self = std::this_thread::get_id();
    if (to_[0].deliverer == self || to_[1].deliverer == self) return;
    while (to_[0].deliverer || to_[1].deliverer) idle_.wait(mutex_);
  }

 private:
  using Event = std::variant<Frame, absl::Status>;  // A status is the last.
  struct Direction {
    std::shared_ptr<FrameHandler> receiver;
    std::deque<Event> waiting;
    std::optional<std::thread::id> deliverer;
    bool closed = false;
  };

  void Deliver(int receiver, Event event) {
    std::shared_ptr<FrameHandler> handler;
    {
      MutexLock lock(mutex_);
      Direction& to = to_[receiver];
      if (to.closed) return;
      to.closed = std::holds_alternative<absl::Status>(event);
      to.waiting.push_back(std::move(event));
      if (to.deliverer) return;
      to.deliverer = std::this_thread::get_id();
      handler = to.receiver;
    }
    for (;;) {
      {
        MutexLock lock(mutex_);
        Direction& to = to_[receiver];
        if (to.waiting.empty()) {
          to.deliverer.reset();
          idle_.notify_all();
          if (to.closed) to.receiver = nullptr;  // `handler` still holds it.
          return;
        }
        event = std::move(to.waiting.front());
        to.waiting.pop_front();
      }
      if (Frame* frame = std::get_if<Frame>(&event)) {
        handler->OnFrame(std::move(*frame));
      } else {
        handler->OnClosed(std::get<absl::Status>(std::move(event)));
      }
    }
  }

  Mutex mutex_;
  CondVar idle_;
  Direction to_[2] ABSL_GUARDED_BY(mutex_);
};

class InProcessLink final : public Link {
 public:
  InProcessLink(std::shared_ptr<Channel> channel, int end)
      : channel_(std::move(channel)), end_(end) {}

  // A handler may let go of the last pointer to this link while it is called,
  // so each call holds the channel itself.
  void Send(Frame frame) override {
    const std::shared_ptr<Channel> channel = channel_;
    channel->Send(1 - end_, std::move(frame));
  }
  void Close() override {
    const std::shared_ptr<Channel> channel = channel_;
    channel->Close(end_);
  }

 private:
  const std::shared_ptr<Channel> channel_;
  const int end_;
};

}  // namespace

std::pair<std::shared_ptr<Link>, std::shared_ptr<Link>> MakeInProcessLink(
    std::shared_ptr<FrameHandler> first_handler,
    std::shared_ptr<FrameHandler> second_handler) {
  const auto channel = std::make_shared<Channel>(std::move(first_handler),
                                                 std::move(second_handler));
  return {std::make_shared<InProcessLink>(channel, 0),
          std::make_shared<InProcessLink>(channel, 1)};
}

}  // namespace apollo

#include "link/in_process_link.h"

#include <absl/strings/str_cat.h>

#include <deque>
#include <optional>
#include <thread>
#include <variant>

#include "common/mutex.h"
#include "link/backlog.h"

namespace apollo {
namespace {

// The shared state of both ends: for each direction, the receiver and the
// waiting events. A thread that finds no other one delivering delivers until
// nothing waits, without a lock, so that handlers may use the link.
class Channel {
 public:
  Channel(std::shared_ptr<FrameHandler> first,
          std::shared_ptr<FrameHandler> second, LinkLimits limits)
      : limits_(limits) {
    for (const int receiver : {0, 1}) {
      // The backlog is stopped before the sender's handler is told of the end.
      FrameHandler* const sender = (receiver == 0 ? second : first).get();
      unhandled_[receiver] = Backlog::Make(limits.watermark_bytes,
                                           [sender] { sender->OnWritable(); });
    }
    MutexLock lock(mutex_);
    to_[0].receiver = std::move(first);
    to_[1].receiver = std::move(second);
  }

  // Frames may outlive the link.
  ~Channel() { StopBacklogs(); }

  void Send(int receiver, Frame frame) {
    const std::size_t waiting = unhandled_[receiver]->bytes();
    if (waiting >= limits_.queue_bytes) {
      End(absl::ResourceExhaustedError(
          absl::StrCat("the receiver does not handle its frames: ", waiting,
                       " bytes wait")));
      return;
    }
    frame.receipt = unhandled_[receiver]->Add(FrameBytes(frame));
    Deliver(receiver, Event(std::move(frame)));
  }

  bool HasRoom(int receiver) { return unhandled_[receiver]->HasRoom(); }

  void Close(int closer) {
    StopBacklogs();
    Deliver(closer, Event(absl::OkStatus()));
    Deliver(1 - closer,
            Event(absl::UnavailableError("the peer closed the link")));
    AwaitHandlers();
  }

 private:
  using Event = std::variant<Frame, absl::Status>;  // A status is the last.
  struct Direction {
    std::shared_ptr<FrameHandler> receiver;
    std::deque<Event> waiting;
    std::optional<std::thread::id> deliverer;
    bool closed = false;
  };

  void StopBacklogs() {
    for (const auto& backlog : unhandled_) backlog->Stop();
  }

  // Closes both ends with a reason.
  void End(const absl::Status& reason) {
    StopBacklogs();
    for (const int receiver : {0, 1}) Deliver(receiver, Event(reason));
  }

  void AwaitHandlers() {
    // The caller may then destroy what the handlers use. A handler that closes
    // the link cannot wait for itself.
    MutexLock lock(mutex_);
    const std::thread::id self = std::this_thread::get_id();
    if (to_[0].deliverer == self || to_[1].deliverer == self) return;
    while (to_[0].deliverer || to_[1].deliverer) idle_.wait(mutex_);
  }

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

  // Constant after construction. By receiver: frames that it still holds.
  const LinkLimits limits_;
  std::shared_ptr<Backlog> unhandled_[2];

  Mutex mutex_;
  CondVar idle_;
  Direction to_[2] ABSL_GUARDED_BY(mutex_);
};

class InProcessLink final : public Link {
 public:
  InProcessLink(std::shared_ptr<Channel> channel, int end)
      : channel_(std::move(channel)), end_(end) {}

  // A handler may drop the last pointer to this link while it is called, so
  // each call holds the channel.
  void Send(Frame frame) override {
    const std::shared_ptr<Channel> channel = channel_;
    channel->Send(1 - end_, std::move(frame));
  }
  bool HasRoom() override { return channel_->HasRoom(1 - end_); }
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
    std::shared_ptr<FrameHandler> second_handler, LinkLimits limits) {
  const auto channel = std::make_shared<Channel>(
      std::move(first_handler), std::move(second_handler), limits);
  return {std::make_shared<InProcessLink>(channel, 0),
          std::make_shared<InProcessLink>(channel, 1)};
}

}  // namespace apollo

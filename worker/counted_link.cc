#include "worker/counted_link.h"

#include <cstdint>
#include <string>
#include <utility>

namespace apollo {
namespace {

std::int64_t BytesOf(const Frame& frame) {
  return static_cast<std::int64_t>(FrameBytes(frame));
}

class CountedLink final : public Link {
 public:
  CountedLink(std::shared_ptr<Link> link, LinkCounting& counting)
      : link_(std::move(link)), counting_(counting) {}
  void Send(Frame frame) override {
    counting_.Sent(BytesOf(frame));
    link_->Send(std::move(frame));
  }
  bool HasRoom() override { return link_->HasRoom(); }
  void Close() override { link_->Close(); }

 private:
  const std::shared_ptr<Link> link_;
  LinkCounting& counting_;
};

class CountedHandler final : public FrameHandler {
 public:
  CountedHandler(std::shared_ptr<FrameHandler> handler, LinkCounting& counting)
      : handler_(std::move(handler)), counting_(counting) {}
  void OnFrame(Frame frame) override {
    if (!std::exchange(open_, true)) counting_.Opened();
    counting_.Received(BytesOf(frame));
    handler_->OnFrame(std::move(frame));
  }
  void OnPiece() override { handler_->OnPiece(); }
  void OnWritable() override {
    counting_.HasRoomAgain();
    handler_->OnWritable();
  }
  void OnClosed(absl::Status status) override {
    counting_.Ended(open_, status.ok());
    handler_->OnClosed(std::move(status));
  }

 private:
  const std::shared_ptr<FrameHandler> handler_;
  LinkCounting& counting_;
  bool open_ = false;  // Its calls come one at a time.
};

}  // namespace

Dialer Counted(Dialer dialer, LinkCounting& counting) {
  return [dialer = std::move(dialer), &counting](
             const std::string& address,
             std::shared_ptr<FrameHandler> handler) -> std::shared_ptr<Link> {
    std::shared_ptr<Link> link =
        dialer(address,
               std::make_shared<CountedHandler>(std::move(handler), counting));
    return std::make_shared<CountedLink>(std::move(link), counting);
  };
}

std::shared_ptr<FrameHandler> CountedAcceptor::OnAccept(
    std::shared_ptr<Link> link) {
  std::shared_ptr<FrameHandler> handler = acceptor_.OnAccept(
      std::make_shared<CountedLink>(std::move(link), counting_));
  if (handler == nullptr) return nullptr;
  return std::make_shared<CountedHandler>(std::move(handler), counting_);
}

}  // namespace apollo

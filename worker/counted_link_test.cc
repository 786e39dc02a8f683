#include "worker/counted_link.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "serving/counters_testing.h"

namespace apollo {
namespace {

TEST(LinkCountersTest, EveryCounterHasOneMetric) {
  ExpectWholeTable(kLinkMetrics);
}

// A link that keeps nothing, and a handler that counts its calls.
struct Sender final : public Link {
  void Send(Frame) override { ++sent; }
  bool HasRoom() override { return room; }
  void Close() override { closed = true; }
  int sent = 0;
  bool room = true, closed = false;
};
struct Receiver final : public FrameHandler {
  void OnFrame(Frame) override { ++frames; }
  void OnPiece() override { ++pieces; }
  void OnWritable() override { ++writable; }
  void OnClosed(absl::Status end) override { status = std::move(end); }
  int frames = 0, pieces = 0, writable = 0;
  absl::Status status = absl::UnknownError("not closed");
};

class CountedLinkTest : public testing::Test {
 protected:
  // Dials a link of `sender_` to `receiver_`; its events go to `events_`.
  std::shared_ptr<Link> Dial() {
    const Dialer dialer = Counted(
        [this](const std::string& address, std::shared_ptr<FrameHandler> to) {
          EXPECT_EQ(address, "there");
          events_ = std::move(to);
          return sender_;
        },
        counting_);
    return dialer("there", receiver_);
  }

  LinkCounting counting_;
  const LinkCounters& counters_ = counting_.counters();
  const std::shared_ptr<Sender> sender_ = std::make_shared<Sender>();
  const std::shared_ptr<Receiver> receiver_ = std::make_shared<Receiver>();
  std::shared_ptr<FrameHandler> events_;
};

TEST_F(CountedLinkTest, FramesPassAndAreCounted) {
  const std::shared_ptr<Link> link = Dial();
  link->Send({Progress{}});
  link->Send({Progress{}});
  EXPECT_EQ(counters_.open, 0);
  events_->OnFrame({Progress{}});
  events_->OnPiece();
  EXPECT_EQ(counters_.open, 1);
  EXPECT_EQ(counters_.frames_out, 2);
  EXPECT_EQ(counters_.frames_in, 1);
  EXPECT_EQ(counters_.bytes_out, 2 * counters_.bytes_in);
  EXPECT_GT(counters_.bytes_in, 0);
  EXPECT_EQ(sender_->sent, 2);
  EXPECT_EQ(receiver_->frames, 1);
  EXPECT_EQ(receiver_->pieces, 1);
}

TEST_F(CountedLinkTest, EndsAreToldApart) {
  Dial();
  events_->OnClosed(absl::UnavailableError("nobody"));
  EXPECT_EQ(counters_.unreachable, 1);
  EXPECT_FALSE(receiver_->status.ok());
  Dial();
  events_->OnFrame({Progress{}});
  events_->OnClosed(absl::UnavailableError("lost"));
  EXPECT_EQ(counters_.lost, 1);
  Dial()->Close();
  EXPECT_TRUE(sender_->closed);
  events_->OnFrame({Progress{}});
  events_->OnClosed(absl::OkStatus());
  EXPECT_EQ(counters_.closed, 1);
  EXPECT_TRUE(receiver_->status.ok());
  EXPECT_EQ(counters_.open, 0);
}

TEST_F(CountedLinkTest, RoomIsThatOfTheLink) {
  const std::shared_ptr<Link> link = Dial();
  sender_->room = false;
  EXPECT_FALSE(link->HasRoom());
  EXPECT_EQ(counters_.full, 0);
  events_->OnWritable();
  EXPECT_EQ(counters_.full, 1);
  EXPECT_EQ(receiver_->writable, 1);
}

// Passes links on, or refuses them.
struct Acceptor final : public LinkAcceptor {
  std::shared_ptr<FrameHandler> OnAccept(std::shared_ptr<Link> made) override {
    link = std::move(made);
    return handler;
  }
  std::shared_ptr<Link> link;
  std::shared_ptr<FrameHandler> handler;
};

TEST_F(CountedLinkTest, AcceptedLinksAreCountedToo) {
  Acceptor acceptor;
  CountedAcceptor counted(acceptor, counting_);
  EXPECT_EQ(counted.OnAccept(sender_), nullptr);
  acceptor.handler = receiver_;
  const std::shared_ptr<FrameHandler> handler = counted.OnAccept(sender_);
  acceptor.link->Send({Progress{}});
  handler->OnFrame({Progress{}});
  EXPECT_EQ(counters_.frames_out, 1);
  EXPECT_EQ(counters_.frames_in, 1);
  EXPECT_EQ(receiver_->frames, 1);
}

}  // namespace
}  // namespace apollo

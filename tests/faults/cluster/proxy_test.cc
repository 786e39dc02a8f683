#include "tests/faults/cluster/proxy.h"

#include <absl/strings/numbers.h>
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "tests/faults/cluster/eventually.h"

namespace apollo {
namespace {

constexpr absl::Duration kLimit = absl::Seconds(20);

// A socket that gives up after kLimit.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {
    const timeval limit = {20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void Send(const std::string& text) {
    send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
  }
  // Returns the next `size` bytes, or fewer and ", end" or ", reset".
  std::string Receive(std::size_t size) {
    std::string text;
    while (text.size() < size) {
      char byte = 0;
      const ssize_t count = recv(fd_, &byte, 1, 0);
      if (count == 0) return text + ", end";
      if (count < 0) return text + ", reset";
      text += byte;
    }
    return text;
  }
  bool HasData() {
    char byte = 0;
    return recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
  }

 private:
  const int fd_;
};

class ProxyTest : public testing::Test {
 protected:
  ProxyTest() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at = {};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(at);
    auto* const generic = reinterpret_cast<sockaddr*>(&at);
    EXPECT_EQ(bind(listener_, generic, size), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    EXPECT_EQ(getsockname(listener_, generic, &size), 0);
    proxy_ = *Proxy::Start(/*seed=*/1);
    proxy_->SetTarget("127.0.0.1:" + std::to_string(ntohs(at.sin_port)));
  }
  ~ProxyTest() override { close(listener_); }

  std::unique_ptr<Socket> Dial() {
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(
        proxy_->address().substr(proxy_->address().rfind(':') + 1), &port));
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
    return std::make_unique<Socket>(fd);
  }
  void Connect() {
    client_ = Dial();
    target_ = std::make_unique<Socket>(accept(listener_, nullptr, nullptr));
  }

  const int listener_;
  std::unique_ptr<Proxy> proxy_;
  std::unique_ptr<Socket> client_, target_;
};

TEST_F(ProxyTest, ForwardsBothWays) {
  Connect();
  client_->Send("question");
  EXPECT_EQ(target_->Receive(8), "question");
  target_->Send("answer");
  EXPECT_EQ(client_->Receive(6), "answer");
  EXPECT_EQ(proxy_->connections(), 1);
  client_.reset();
  EXPECT_EQ(target_->Receive(1), ", end");
  target_.reset();
  EXPECT_TRUE(Eventually(kLimit, [&] { return proxy_->connections() == 0; }));
}

TEST_F(ProxyTest, HoldsOneWayUntilHealed) {
  Connect();
  proxy_->Hold(Way::kToTarget, true);
  client_->Send("held");
  // What goes the other way arrives, so the first has had its time.
  for (int i = 0; i < 20; ++i) {
    target_->Send("x");
    EXPECT_EQ(client_->Receive(1), "x");
  }
  EXPECT_FALSE(target_->HasData());
  proxy_->Heal();
  EXPECT_EQ(target_->Receive(4), "held");
}

TEST_F(ProxyTest, DelaysAndKeepsTheOrder) {
  Connect();
  proxy_->SetDelay(absl::Milliseconds(30));
  proxy_->SetLoss(0.5);
  std::string all;
  const absl::Duration begin = Now();
  for (int i = 0; i < 20; ++i) {
    const std::string piece = std::to_string(i) + ",";
    client_->Send(piece);
    all += piece;
  }
  EXPECT_EQ(target_->Receive(all.size()), all);
  EXPECT_GE(Now() - begin, absl::Milliseconds(30));
}

TEST_F(ProxyTest, CutsAndRefuses) {
  Connect();
  client_->Send("a");
  EXPECT_EQ(target_->Receive(1), "a");
  proxy_->Cut();
  EXPECT_EQ(client_->Receive(1), ", reset");
  EXPECT_EQ(target_->Receive(1), ", reset");
  proxy_->SetRefusing(true);
  EXPECT_EQ(Dial()->Receive(1), ", reset");
  proxy_->Heal();
  Connect();
  client_->Send("b");
  EXPECT_EQ(target_->Receive(1), "b");
}

TEST_F(ProxyTest, TruncatesBehindTheLastByte) {
  Connect();
  proxy_->TruncateAfter(Way::kToClient, 5);
  target_->Send("123");
  EXPECT_EQ(client_->Receive(3), "123");
  target_->Send("45678");
  EXPECT_EQ(client_->Receive(5), "45, end");
}

TEST_F(ProxyTest, ATargetThatIsAwayResets) {
  proxy_->SetTarget("127.0.0.1:1");
  EXPECT_EQ(Dial()->Receive(1), ", reset");
}

}  // namespace
}  // namespace apollo

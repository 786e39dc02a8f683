#include "tests/faults/network/network.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string>

#include "common/clock.h"
#include "tests/faults/network/own_network.h"

namespace apollo {
namespace {

constexpr int kPort = 7000;

// A socket of a node, whose calls give up after some time.
class Socket {
 public:
  Socket(Network& network, const std::string& node, int type) {
    network.Inside(node,
                   [&] { fd_ = socket(AF_INET, type | SOCK_CLOEXEC, 0); });
    SetLimits(20'000);
  }
  explicit Socket(int fd) : fd_(fd) {
    SetLimits(20'000);
    // Small data must not wait for acknowledgements, which a cut loses.
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void SetLimits(int milliseconds) {
    const timeval limit = {milliseconds / 1000, milliseconds % 1000 * 1000};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  }
  void Bind() {
    const int on = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in at = {};
    at.sin_family = AF_INET;
    at.sin_port = htons(kPort);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof(at)), 0);
  }
  void Listen() {
    Bind();
    EXPECT_EQ(listen(fd_, 8), 0);
  }
  std::unique_ptr<Socket> Accept() {
    return std::make_unique<Socket>(accept(fd_, nullptr, nullptr));
  }
  // Returns 0 or the error.
  int Connect(const std::string& address) {
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(kPort);
    inet_pton(AF_INET, address.c_str(), &to.sin_addr);
    const int code = connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to));
    return code == 0 ? 0 : errno;
  }
  // Returns whether a connection is made within the time that tests have.
  bool AwaitConnected() {
    pollfd wanted = {fd_, POLLOUT, 0};
    int error = -1;
    socklen_t size = sizeof(error);
    return poll(&wanted, 1, 20'000) == 1 &&
           getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 &&
           error == 0;
  }
  void Send(const std::string& text) {
    send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
  }
  // Returns the next datagram, or some bytes of a connection: "" at the end.
  std::string Receive() {
    char bytes[100];
    const ssize_t size = recv(fd_, bytes, sizeof(bytes), 0);
    return size < 0 ? "error" : std::string(bytes, bytes + size);
  }
  bool HasData() {
    char byte = 0;
    return recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
  }

 private:
  int fd_ = -1;
};

class NetworkTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    EXPECT_EQ(Network::Make({"a"}, 1).status().code(),
              absl::StatusCode::kFailedPrecondition);
    left_ = LeaveMachineNetwork();
  }
  void SetUp() override {
    if (!left_.ok()) GTEST_SKIP() << "no namespaces here: " << left_;
    auto network = Network::Make({"a", "b"}, /*seed=*/1);
    ASSERT_TRUE(network.ok()) << network.status();
    network_ = *std::move(network);
    address_ = network_->AddressOf("b");
  }

  // Connects a socket of a node with one of "b".
  void Connect(const std::string& node) {
    Socket listener(*network_, "b", SOCK_STREAM);
    listener.Listen();
    client_ = std::make_unique<Socket>(*network_, node, SOCK_STREAM);
    ASSERT_EQ(client_->Connect(address_), 0);
    server_ = listener.Accept();
  }

  static absl::Status left_;
  std::unique_ptr<Network> network_;
  std::string address_;
  std::unique_ptr<Socket> client_, server_;
};

absl::Status NetworkTest::left_;

TEST_F(NetworkTest, JoinsNodesAndThisProcess) {
  for (const char* const node : {"a", Network::kHere}) {
    Connect(node);
    client_->Send("question");
    EXPECT_EQ(server_->Receive(), "question");
    server_->Send("answer");
    EXPECT_EQ(client_->Receive(), "answer");
    client_.reset();
    EXPECT_EQ(server_->Receive(), "");
  }
}

TEST_F(NetworkTest, NodesHaveNoOtherInterfaces) {
  network_->Inside("a", [] {
    EXPECT_NE(if_nametoindex("lo"), 0u);
    EXPECT_NE(if_nametoindex("node"), 0u);
    EXPECT_EQ(if_nametoindex("eth0"), 0u);
  });
}

TEST_F(NetworkTest, ACutDirectionLosesWhatTcpSendsAgain) {
  Connect("a");
  network_->Cut("a", "b");
  client_->Send("lost");
  // What goes the other way arrives, so the first has had its time.
  // (TCP sends ten packets without an acknowledgement.)
  for (int i = 0; i < 5; ++i) {
    server_->Send("x");
    ASSERT_EQ(client_->Receive(), "x");
  }
  EXPECT_FALSE(server_->HasData());
  network_->Heal();
  EXPECT_EQ(server_->Receive(), "lost");
}

TEST_F(NetworkTest, ANodeBehindACutNeitherAcceptsNorRefuses) {
  Socket refused(*network_, "a", SOCK_STREAM);
  EXPECT_EQ(refused.Connect(address_), ECONNREFUSED);
  network_->Cut("b", "a");
  Socket unanswered(*network_, "a", SOCK_STREAM);
  unanswered.SetLimits(100);
  EXPECT_EQ(unanswered.Connect(address_), EINPROGRESS);
  Socket listener(*network_, "b", SOCK_STREAM);
  listener.Listen();
  network_->Heal();
  EXPECT_TRUE(unanswered.AwaitConnected());
}

TEST_F(NetworkTest, ACutOfTwoNodesDoesNotTouchTheThird) {
  network_->Cut("a", "b");
  network_->Cut("b", "a");
  Connect(Network::kHere);
  client_->Send("beside");
  EXPECT_EQ(server_->Receive(), "beside");
}

TEST_F(NetworkTest, LosesSomePackets) {
  Socket from(*network_, "a", SOCK_DGRAM), to(*network_, "b", SOCK_DGRAM);
  to.Bind();
  ASSERT_EQ(from.Connect(address_), 0);
  network_->SetLoss("a", "b", 0.5);
  // One after the other, so that the receiver has room.
  for (int i = 0; i < 100; ++i) from.Send(std::to_string(i));
  std::set<std::string> arrived;
  // Those that are still in the queue must not meet a whole wire: the last one
  // is sent until it arrives.
  while (!arrived.contains("end")) {
    from.Send("end");
    while (to.HasData()) arrived.insert(to.Receive());
  }
  EXPECT_GT(arrived.size(), 20u);
  EXPECT_LT(arrived.size(), 80u);
}

TEST_F(NetworkTest, DelaysAndKeepsTheOrder) {
  Socket from(*network_, "a", SOCK_DGRAM), to(*network_, "b", SOCK_DGRAM);
  to.Bind();
  ASSERT_EQ(from.Connect(address_), 0);
  network_->SetDelay("a", "b", absl::Milliseconds(30));
  const absl::Duration begin = Clock::Real().Now();
  for (int i = 0; i < 20; ++i) from.Send(std::to_string(i));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(to.Receive(), std::to_string(i));
  EXPECT_GE(Clock::Real().Now() - begin, absl::Milliseconds(30));
}

}  // namespace
}  // namespace apollo

#include "serving/connection_gate.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/queue.h"
#include "serving/tcp_client.h"

namespace apollo {
namespace {

// A gate before a server that sends one byte on each new connection, and then
// nothing.
class ConnectionGateTest : public testing::Test {
 protected:
  void Open(int max_connections) {
    absl::StatusOr<Listener> listener =
        ListenOn("127.0.0.1:0", absl::Seconds(5));
    ASSERT_TRUE(listener.ok()) << listener.status();
    port_ = listener->port;
    auto gate = ConnectionGate::Open(
        *std::move(listener), max_connections,
        [this](int, int connection) {
          handed_.Push(FileDescriptor(connection));
          EXPECT_EQ(send(connection, ".", 1, MSG_NOSIGNAL), 1);
        },
        registry_);
    ASSERT_TRUE(gate.ok()) << gate.status();
    gate_ = *std::move(gate);
  }
  // Reconnects until there is room.
  TcpClient ConnectUntilAccepted() {
    for (;;) {
      TcpClient client(port_);
      if (client.ReadByte()) return client;
    }
  }
  // Takes the server's end of the oldest connection.
  FileDescriptor TakeHanded() { return *handed_.Pop(); }

  double Metric(const std::string& name) {
    for (const auto& family : registry_.Collect()) {
      if (family.name != name) continue;
      const auto& metric = family.metric.at(0);
      return family.type == prometheus::MetricType::Counter
                 ? metric.counter.value
                 : metric.gauge.value;
    }
    ADD_FAILURE() << "no metric " << name;
    return -1;
  }
  double Refused() { return Metric("apollo_connections_refused_total"); }

  prometheus::Registry registry_;
  Queue<FileDescriptor> handed_;
  int port_ = 0;
  std::unique_ptr<ConnectionGate> gate_;
};

TEST_F(ConnectionGateTest, BeyondTheBoundConnectionsAreClosedAndCounted) {
  Open(2);
  const TcpClient first(port_), second(port_);
  EXPECT_TRUE(first.ReadByte());
  EXPECT_TRUE(second.ReadByte());
  for (int i = 1; i <= 3; ++i) {
    const TcpClient more(port_);
    ASSERT_TRUE(more.ok());
    EXPECT_FALSE(more.ReadByte());
    EXPECT_EQ(Refused(), i);
  }
  EXPECT_EQ(Metric("apollo_connections"), 2);
}

TEST_F(ConnectionGateTest, AConnectionThatTheServerClosesMakesRoom) {
  Open(1);
  const TcpClient first(port_);
  EXPECT_TRUE(first.ReadByte());
  // As in gRPC.
  FileDescriptor connection = TakeHanded();
  shutdown(connection.get(), SHUT_RDWR);
  connection.Reset();
  EXPECT_FALSE(first.ReadByte());
  const TcpClient next = ConnectUntilAccepted();
  const TcpClient more(port_);
  EXPECT_FALSE(more.ReadByte());
}

TEST_F(ConnectionGateTest, AConnectionThatIsResetMakesRoom) {
  Open(1);
  for (int i = 0; i < 20; ++i) ConnectUntilAccepted().Abort();
  const TcpClient next = ConnectUntilAccepted();
  const TcpClient more(port_);
  EXPECT_FALSE(more.ReadByte());
}

TEST_F(ConnectionGateTest, AConnectionCountsUntilTheServerHasClosedItToo) {
  Open(1);
  TcpClient first(port_);
  EXPECT_TRUE(first.ReadByte());
  first.Close();  // Everything was read, so this is not a reset.
  for (int i = 0; i < 5; ++i) {
    const TcpClient more(port_);
    EXPECT_FALSE(more.ReadByte());
  }
  shutdown(TakeHanded().get(), SHUT_RDWR);
  ConnectUntilAccepted();
}

TEST_F(ConnectionGateTest, WithoutOpenFilesConnectionsAreRefusedForAWhile) {
  Open(100);
  rlimit limit = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit before = limit;
  limit.rlim_cur = 64;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  std::vector<FileDescriptor> taken;
  for (;;) {
    FileDescriptor one(dup(0));
    if (!one.ok()) break;
    taken.push_back(std::move(one));
  }
  ASSERT_FALSE(taken.empty());
  taken.pop_back();  // Leaves one for this end of the connection.
  {
    const TcpClient client(port_);
    ASSERT_TRUE(client.ok());
    EXPECT_FALSE(client.ReadByte());
  }
  EXPECT_EQ(Refused(), 1);
  taken.clear();
  const TcpClient next(port_);
  EXPECT_TRUE(next.ReadByte());
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST_F(ConnectionGateTest, ItsEndStopsListeningButKeepsConnections) {
  Open(10);
  const TcpClient first(port_);
  EXPECT_TRUE(first.ReadByte());
  gate_ = nullptr;
  EXPECT_FALSE(TcpClient(port_).ok());
  const FileDescriptor connection = TakeHanded();
  EXPECT_EQ(send(connection.get(), ".", 1, MSG_NOSIGNAL), 1);
  EXPECT_TRUE(first.ReadByte());
}

TEST_F(ConnectionGateTest, ACrowdOfRefusalsIsLoggedOnce) {
  Open(3);
  std::vector<TcpClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(port_);
    EXPECT_TRUE(clients.back().ReadByte());
  }
  testing::internal::CaptureStderr();
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(TcpClient(port_).ReadByte());
  gate_ = nullptr;  // After its last line.
  const std::string log = testing::internal::GetCapturedStderr();
  const std::size_t first = log.find("connections_refused");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(log.find("connections_refused", first + 1), std::string::npos)
      << log;
}

TEST(AllowConnectionsTest, RaisesTheSoftLimitWithinTheHardLimit) {
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_GE(before.rlim_max, 1024u) << "the machine allows too few open files";
  rlimit limit = before;
  limit.rlim_cur = 64;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(AllowConnections(200), 200);
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_GE(limit.rlim_cur, 400u);
  // Beyond the hard limit, the other files of the process keep their share.
  const int most = static_cast<int>(before.rlim_max);
  const int allowed = AllowConnections(most);
  EXPECT_LE(2 * allowed, most - 500);
  EXPECT_GE(2 * allowed, most - 600);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace apollo

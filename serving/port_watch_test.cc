#include "serving/port_watch.h"

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/fake_clock.h"
#include "common/temp_folder.h"
#include "serving/listener.h"

namespace apollo {
namespace {

// A port whose server is the test: it accepts only when the test does.
class PortWatchTest : public testing::Test {
 protected:
  void SetUp() override { Listen("127.0.0.1:0"); }
  void Listen(const std::string& address) {
    auto listener = ListenOn(address, absl::Seconds(5));
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    watch_ = std::make_unique<PortWatch>(
        "listen", absl::StrCat("127.0.0.1:", listener_.port), greeting_,
        clock_);
  }
  // Waits for a connection: the kernel may be late, too.
  FileDescriptor Accept(int milliseconds = 60'000) {
    const int socket = listener_.sockets.front().get();
    pollfd ready = {socket, POLLIN, 0};
    poll(&ready, 1, milliseconds);
    return FileDescriptor(accept(socket, nullptr, nullptr));
  }
  // Ends a connection, and waits until the kernel has told its other end. One
  // over a Unix socket needs no time.
  static void End(FileDescriptor connection) {
    ASSERT_TRUE(connection.ok());
    shutdown(connection.get(), SHUT_WR);
    tcp_info info = {};
    socklen_t size = sizeof(info);
    while (getsockopt(connection.get(), IPPROTO_TCP, TCP_INFO, &info, &size) ==
               0 &&
           info.tcpi_state == TCP_FIN_WAIT1) {
      std::this_thread::yield();
    }
  }
  // Makes a trial that succeeds. Accepts `waiting` connections of earlier ones
  // first.
  void Succeed(int waiting = 0) {
    EXPECT_TRUE(Begin().ok());
    for (int i = 0; i < waiting; ++i) EXPECT_TRUE(Accept().ok());
    End(Accept());
    EXPECT_TRUE(watch_->Look().ok());
  }
  // Begins a trial.
  absl::Status Begin() {
    clock_.now += PortWatch::kInterval;
    return watch_->Look();
  }
  // Makes a trial in which nobody reacts.
  absl::Status Fail() {
    if (absl::Status status = Begin(); !status.ok()) return status;
    clock_.now += PortWatch::kPatience;
    return watch_->Look();
  }
  bool Works() {
    for (int i = 0; i < PortWatch::kFailures - 1; ++i) {
      if (!Fail().ok()) return false;
    }
    return true;
  }

  FakeClock clock_;
  std::string greeting_;
  Listener listener_;
  std::unique_ptr<PortWatch> watch_;
};

TEST_F(PortWatchTest, APortThatNobodyServesIsLost) {
  Succeed();
  for (int i = 1; i < PortWatch::kFailures; ++i) EXPECT_TRUE(Fail().ok());
  const absl::Status lost = Fail();
  EXPECT_EQ(lost.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(lost.message(),
            absl::StrCat("--listen: 127.0.0.1:", listener_.port,
                         " takes no connections: ", PortWatch::kFailures,
                         " trials in a row failed"));
}

TEST_F(PortWatchTest, ItsFirstFailureIsLogged) {
  Succeed();
  testing::internal::CaptureStderr();
  EXPECT_TRUE(Fail().ok());
  EXPECT_TRUE(Fail().ok());
  const std::string log = testing::internal::GetCapturedStderr();
  const std::size_t first = log.find("port_silent");
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("port_silent", first + 1), std::string::npos) << log;
}

// A firewall may keep the process from its own port, which others reach.
TEST_F(PortWatchTest, APortThatNeverAnsweredIsNotLost) {
  testing::internal::CaptureStderr();
  for (int i = 0; i < 4 * PortWatch::kFailures; ++i) EXPECT_TRUE(Fail().ok());
  const std::string log = testing::internal::GetCapturedStderr();
  const std::size_t first = log.find("port_not_watched");
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("port_not_watched", first + 1), std::string::npos) << log;
  EXPECT_EQ(log.find("port_silent"), std::string::npos) << log;
  // It may still answer later.
  Succeed(/*waiting=*/4 * PortWatch::kFailures);
  for (int i = 1; i < PortWatch::kFailures; ++i) EXPECT_TRUE(Fail().ok());
  EXPECT_FALSE(Fail().ok());
}

// "localhost" is often ::1, too, where the server of metrics does not listen.
TEST_F(PortWatchTest, ANameIsWatchedWhereTheServerListens) {
  for (const char* listens : {"127.0.0.1:0", "[::1]:0"}) {
    auto listener = ListenOn(listens, absl::Seconds(5));
    if (!listener.ok()) continue;  // The machine has no IPv6.
    listener_ = *std::move(listener);
    std::vector<SocketAddress> both;
    for (const char* host : {"[::1]:", "127.0.0.1:"}) {
      for (const SocketAddress& address :
           OwnAddresses(absl::StrCat(host, listener_.port))) {
        both.push_back(address);
      }
    }
    watch_ =
        std::make_unique<PortWatch>("listen", "localhost", both, "", clock_);
    while (true) {
      ASSERT_TRUE(Begin().ok());
      if (FileDescriptor connection = Accept(/*milliseconds=*/100);
          connection.ok()) {
        End(std::move(connection));
        break;
      }
      clock_.now += PortWatch::kPatience;
    }
    EXPECT_TRUE(watch_->Look().ok());
    for (int i = 0; i < 2 * PortWatch::kFailures; ++i) Succeed();
  }
}

// A Unix socket is also lost when somebody removes its file.
TEST_F(PortWatchTest, ASocketWithoutItsFileIsLost) {
  const TempFolder temp;
  const std::string& folder = temp.path();
  const std::string address = "unix:" + folder + "/grpc.sock";
  auto listener = ListenOn(address, absl::Seconds(5));
  ASSERT_TRUE(listener.ok()) << listener.status();
  listener_ = *std::move(listener);
  ASSERT_EQ(OwnAddresses(address).size(), 1u);
  watch_ = std::make_unique<PortWatch>("listen", address, "", clock_);
  Succeed();
  EXPECT_TRUE(Works());
  Succeed(/*waiting=*/PortWatch::kFailures - 1);
  std::filesystem::remove_all(folder);
  for (int i = 1; i < PortWatch::kFailures; ++i) EXPECT_TRUE(Begin().ok());
  EXPECT_EQ(Begin().message(),
            absl::StrCat("--listen: ", address, " takes no connections: ",
                         PortWatch::kFailures, " trials in a row failed"));
}

TEST(OwnAddressesTest, OthersAreLeftOut) {
  EXPECT_EQ(OwnAddresses("127.0.0.1:1").size(), 1u);
  EXPECT_EQ(OwnAddresses("192.0.2.1:1").size(), 0u);  // Of nobody (RFC 5737).
  EXPECT_EQ(OwnAddresses("nonexistent.invalid:1").size(), 0u);
  EXPECT_EQ(OwnAddresses("no address").size(), 0u);
}

TEST_F(PortWatchTest, AServerThatSpeaksOrRefusesIsThere) {
  Succeed();
  for (const bool speaks : {true, false}) {
    EXPECT_TRUE(Works());
    EXPECT_TRUE(Begin().ok());
    {
      FileDescriptor connection = Accept();
      // Those of the failed trials wait in front of it.
      for (int i = 1; i < PortWatch::kFailures; ++i) connection = Accept();
      ASSERT_TRUE(connection.ok());
      if (speaks) {
        ASSERT_EQ(send(connection.get(), ".", 1, MSG_NOSIGNAL), 1);
        EXPECT_TRUE(watch_->Look().ok());
      }
    }
    EXPECT_TRUE(watch_->Look().ok());
  }
  // Not a failure in a row.
  EXPECT_TRUE(Works());
}

TEST_F(PortWatchTest, AClosedPortIsLost) {
  Succeed();
  listener_.sockets.clear();
  for (int i = 1; i < PortWatch::kFailures; ++i) EXPECT_TRUE(Begin().ok());
  // A refusal that the kernel tells late takes another look.
  int looks = 0;
  while (Begin().ok() && looks < 100) ++looks;
  EXPECT_LT(looks, 100);
}

TEST_F(PortWatchTest, AGreetingIsSentFirst) {
  greeting_ = "hello";
  Listen("127.0.0.1:0");
  EXPECT_TRUE(Begin().ok());
  const FileDescriptor connection = Accept();
  EXPECT_TRUE(watch_->Look().ok());
  std::string heard(5, ' ');
  ASSERT_EQ(recv(connection.get(), heard.data(), heard.size(), MSG_WAITALL), 5);
  EXPECT_EQ(heard, "hello");
}

TEST_F(PortWatchTest, AProcessWithoutDescriptorsKnowsNothing) {
  Succeed();
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit limit = before;
  limit.rlim_cur = 3;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  for (int i = 0; i < 2 * PortWatch::kFailures; ++i) EXPECT_TRUE(Fail().ok());
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST_F(PortWatchTest, AllAddressesAreTriedByThatOfTheMachine) {
  Listen("0.0.0.0:0");
  for (const char* host : {"0.0.0.0", "[::]", ""}) {
    watch_ = std::make_unique<PortWatch>(
        "listen", absl::StrCat(host, ":", listener_.port), "", clock_);
    EXPECT_TRUE(Begin().ok());
    EXPECT_TRUE(Accept().ok()) << host;
  }
}

}  // namespace
}  // namespace apollo

#include "serving/service_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "serving/file_descriptor.h"

namespace apollo {
namespace {

// A socket in place of that of systemd.
class Manager {
 public:
  // `name` as in NOTIFY_SOCKET.
  explicit Manager(const std::string& name)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto bytes =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(
        bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), bytes),
        0);
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~Manager() { unsetenv("NOTIFY_SOCKET"); }

  // Returns the next message; "" if there is none.
  std::string Receive() {
    char buffer[64];
    const ssize_t bytes = recv(socket_.get(), buffer, sizeof(buffer), 0);
    return {buffer, static_cast<std::size_t>(bytes > 0 ? bytes : 0)};
  }

 private:
  FileDescriptor socket_;
};

TEST(ServiceManagerTest, SendsToAPathOrAnAbstractName) {
  const std::string unique = std::to_string(getpid());
  for (const std::string& name :
       {"/tmp/apollo-notify-" + unique, "@apollo-notify-" + unique}) {
    Manager manager(name);
    EXPECT_TRUE(NotifyServiceManager(kServiceReady).ok());
    EXPECT_TRUE(NotifyServiceManager(kServiceStopping).ok());
    EXPECT_EQ(manager.Receive(), "READY=1");
    EXPECT_EQ(manager.Receive(), "STOPPING=1");
    EXPECT_EQ(manager.Receive(), "");
    if (name[0] == '/') unlink(name.c_str());
  }
}

TEST(ServiceManagerTest, WithoutAManagerItDoesNothing) {
  unsetenv("NOTIFY_SOCKET");
  EXPECT_TRUE(NotifyServiceManager(kServiceReady).ok());
  setenv("NOTIFY_SOCKET", "", 1);
  EXPECT_TRUE(NotifyServiceManager(kServiceReady).ok());
}

TEST(ServiceManagerTest, ErrorsNameTheSocket) {
  for (const std::string& name :
       {std::string("vsock:2:1"), std::string("relative"),
        "/" + std::string(sizeof(sockaddr_un::sun_path), 'x')}) {
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
    const absl::Status status = NotifyServiceManager(kServiceReady);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(std::string(status.message()).find(name), std::string::npos);
  }
  setenv("NOTIFY_SOCKET", "/nowhere/notify", 1);
  const absl::Status status = NotifyServiceManager(kServiceReady);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(std::string(status.message()),
            "NOTIFY_SOCKET is \"/nowhere/notify\": No such file or directory");
  unsetenv("NOTIFY_SOCKET");
}

}  // namespace
}  // namespace apollo

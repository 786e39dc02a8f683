#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "serving/file_descriptor.h"

namespace apollo {

// A socket in place of that of systemd, for tests. NOTIFY_SOCKET names it as
// long as it exists.
class FakeServiceManager {
 public:
  // `name` as in NOTIFY_SOCKET: a path, or @ and an abstract name.
  explicit FakeServiceManager(std::string name)
      : name_(std::move(name)),
        socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name_.data(), name_.size());
    if (name_[0] == '@') address.sun_path[0] = '\0';
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) +
                                          name_.size())),
              0);
    setenv("NOTIFY_SOCKET", name_.c_str(), /*overwrite=*/1);
  }
  ~FakeServiceManager() {
    unsetenv("NOTIFY_SOCKET");
    if (name_[0] == '/') unlink(name_.c_str());
  }
  FakeServiceManager(const FakeServiceManager&) = delete;
  FakeServiceManager& operator=(const FakeServiceManager&) = delete;

  // Returns the next message; "" if there is none.
  std::string Receive() {
    char buffer[64];
    const ssize_t bytes = recv(socket_.get(), buffer, sizeof(buffer), 0);
    return {buffer, static_cast<std::size_t>(bytes > 0 ? bytes : 0)};
  }

 private:
  const std::string name_;
  const FileDescriptor socket_;
};

}  // namespace apollo

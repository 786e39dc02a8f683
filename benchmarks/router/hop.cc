#include "benchmarks/router/hop.h"

#include <absl/cleanup/cleanup.h>
#include <absl/status/status.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

namespace apollo::load {

absl::StatusOr<std::vector<double>> MeasureHop(int count,
                                               std::chrono::microseconds pace) {
  using SteadyClock = std::chrono::steady_clock;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int writer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int reader = -1;
  const absl::Cleanup close_all = [&] {
    for (const int fd : {listener, writer, reader}) {
      if (fd >= 0) close(fd);
    }
  };
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  const int on = 1;
  if (listener < 0 || writer < 0 || bind(listener, plain, size) != 0 ||
      getsockname(listener, plain, &size) != 0 || listen(listener, 1) != 0 ||
      connect(writer, plain, size) != 0 ||
      (reader = accept(listener, nullptr, nullptr)) < 0 ||
      setsockopt(writer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
    return absl::ErrnoToStatus(errno, "no TCP connection to this machine");
  }
  std::vector<SteadyClock::time_point> came;
  std::thread reading([&] {
    char byte;
    while (read(reader, &byte, 1) == 1) came.push_back(SteadyClock::now());
  });
  std::vector<SteadyClock::time_point> sent;
  for (int i = 0; i < count; ++i) {
    std::this_thread::sleep_for(pace);
    sent.push_back(SteadyClock::now());
    if (write(writer, "x", 1) != 1) break;
  }
  shutdown(writer, SHUT_WR);  // Ends the reader.
  reading.join();
  if (came.size() != sent.size()) {
    return absl::UnavailableError("the TCP connection to this machine broke");
  }
  std::vector<double> seconds;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    seconds.push_back(std::chrono::duration<double>(came[i] - sent[i]).count());
  }
  return seconds;
}

}  // namespace apollo::load

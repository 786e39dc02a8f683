#include "tests/faults/cluster/stable_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <random>
#include <set>

namespace apollo {
namespace {

constexpr int kFirst = 10000;  // Well-known services have lower ones.
constexpr int kLast = 65535;
constexpr int kAttempts = 1000;

bool IsFree(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;  // As the programs do.
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool free = bind(fd, reinterpret_cast<const sockaddr*>(&address),
                         sizeof(address)) == 0;
  close(fd);
  return free;
}

}  // namespace

int StablePort() {
  static auto* const given = new std::set<int>;
  int low = 32768, high = 60999;  // Linux's own.
  std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> low >> high;
  std::random_device device;
  std::uniform_int_distribution<int> any(kFirst, kLast);
  for (int i = 0; i < kAttempts; ++i) {
    const int port = any(device);
    if (port >= low && port <= high) continue;
    if (given->insert(port).second && IsFree(port)) return port;
  }
  return 0;
}

}  // namespace apollo

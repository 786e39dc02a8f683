#include "tests/faults/cluster/proxy.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "tests/faults/cluster/eventually.h"

namespace apollo {
namespace {

sockaddr_in Local(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

const sockaddr* Generic(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

void MakeReady(int socket) {
  fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK);
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void CloseWithReset(int socket) {
  const linger now = {.l_onoff = 1, .l_linger = 0};
  setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  close(socket);
}

// Returns a connection to a port of this machine, or -1. A local connection is
// refused or made at once.
int Dial(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in to = Local(port);
  if (fd >= 0 && connect(fd, Generic(to), sizeof(to)) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Proxy>> Proxy::Start(std::uint64_t seed) {
  const int listener =
      socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in at = Local(0);
  socklen_t size = sizeof(at);
  if (listener < 0 || bind(listener, Generic(at), size) != 0 ||
      listen(listener, SOMAXCONN) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size) != 0) {
    const int code = errno;
    if (listener >= 0) close(listener);
    return absl::ErrnoToStatus(code, "a proxy cannot listen on 127.0.0.1");
  }
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return std::unique_ptr<Proxy>(new Proxy(
      listener, wake, absl::StrCat("127.0.0.1:", ntohs(at.sin_port)), seed));
}

Proxy::Proxy(int listener, int wake, std::string address, std::uint64_t seed)
    : listener_(listener),
      wake_(wake),
      address_(std::move(address)),
      random_(static_cast<std::minstd_rand::result_type>(seed)),
      thread_([this] { Run(); }) {}

Proxy::~Proxy() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    for (ProxyConnection& connection : connections_) connection.Reset();
  }
  Wake();
  thread_.join();
  close(listener_);
  close(wake_);
}

void Proxy::Wake() {
  const std::uint64_t one = 1;
  // It fails only if the thread has been woken already.
  if (write(wake_, &one, sizeof(one)) < 0) return;
}

void Proxy::SetTarget(const std::string& address) {
  int port = 0;
  const std::size_t colon = address.rfind(':');
  if (!absl::SimpleAtoi(address.substr(colon + 1), &port)) port = 0;
  MutexLock lock(mutex_);
  target_port_ = port;
}

void Proxy::Hold(Way way, bool held) {
  {
    MutexLock lock(mutex_);
    faults_.held[static_cast<int>(way)] = held;
  }
  Wake();
}

void Proxy::SetDelay(absl::Duration delay) {
  MutexLock lock(mutex_);
  faults_.delay = delay;
}

void Proxy::SetLoss(double probability) {
  MutexLock lock(mutex_);
  faults_.loss = probability;
}

void Proxy::SetRefusing(bool refusing) {
  MutexLock lock(mutex_);
  faults_.refusing = refusing;
}

void Proxy::TruncateAfter(Way way, std::int64_t bytes) {
  MutexLock lock(mutex_);
  faults_.bytes_left[static_cast<int>(way)] = bytes;
}

void Proxy::Cut() {
  {
    MutexLock lock(mutex_);
    for (ProxyConnection& connection : connections_) connection.Reset();
  }
  Wake();
}

void Proxy::Heal() {
  {
    MutexLock lock(mutex_);
    faults_ = {};
  }
  Wake();
}

int Proxy::connections() const {
  MutexLock lock(mutex_);
  return static_cast<int>(std::count_if(
      connections_.begin(), connections_.end(),
      [](const ProxyConnection& connection) { return !connection.ended(); }));
}

void Proxy::Run() {
  while (Turn()) {
  }
}

int Proxy::Timeout(absl::Duration now) const {
  absl::Duration due = absl::InfiniteDuration();
  for (const ProxyConnection& connection : connections_) {
    due = std::min(due, connection.NextDue(now));
  }
  if (due == absl::InfiniteDuration()) return -1;
  return static_cast<int>(absl::ToInt64Milliseconds(due - now)) + 1;
}

bool Proxy::Turn() {
  std::vector<pollfd> polls = {{listener_, POLLIN, 0}, {wake_, POLLIN, 0}};
  std::vector<ProxyConnection*> polled;
  int timeout = -1;
  {
    MutexLock lock(mutex_);
    connections_.remove_if(
        [](const ProxyConnection& connection) { return connection.ended(); });
    if (ending_) return false;
    const absl::Duration now = Now();
    for (ProxyConnection& connection : connections_) {
      connection.AppendPolls(faults_, now, polls);
      polled.push_back(&connection);
    }
    timeout = Timeout(now);
  }
  poll(polls.data(), polls.size(), timeout);
  MutexLock lock(mutex_);
  std::uint64_t wakes = 0;
  if (read(wake_, &wakes, sizeof(wakes)) < 0 && errno != EAGAIN) return false;
  for (std::size_t i = 0; i < polled.size(); ++i) {
    if (polled[i]->ended()) continue;
    polled[i]->Handle(&polls[2 + 2 * i], faults_, Now(), random_);
  }
  if (polls[0].revents != 0) Accept();
  return true;
}

void Proxy::Accept() {
  const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  const int target =
      faults_.refusing || target_port_ == 0 ? -1 : Dial(target_port_);
  if (target < 0) {
    CloseWithReset(client);
    return;
  }
  MakeReady(client);
  MakeReady(target);
  connections_.emplace_back(client, target);
}

}  // namespace apollo

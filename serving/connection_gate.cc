#include "serving/connection_gate.h"

#include <absl/status/status.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "common/log.h"
#include "common/status_macros.h"

namespace apollo {
namespace {

// Allowance for open files other than client connections: weights, links, logs
// and files of libraries.
constexpr rlim_t kOtherFiles = 512;

FileDescriptor OpenReserve() {
  return FileDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace

ConnectionGate::ConnectionGate(Listener listener, int max_connections,
                               HandOver hand_over,
                               prometheus::Registry& registry)
    : listener_(std::move(listener)),
      max_connections_(max_connections),
      hand_over_(std::move(hand_over)),
      open_metric_(
          AddGauge(registry, SpecOf(kConnectionMetrics, "apollo_connections"))),
      refused_metric_(AddCounter(
          registry,
          SpecOf(kConnectionMetrics, "apollo_connections_refused_total"))),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      reserve_(OpenReserve()) {}

absl::StatusOr<std::unique_ptr<ConnectionGate>> ConnectionGate::Open(
    Listener listener, int max_connections, HandOver hand_over,
    prometheus::Registry& registry) {
  std::unique_ptr<ConnectionGate> gate(new ConnectionGate(
      std::move(listener), max_connections, std::move(hand_over), registry));
  if (!gate->epoll_.ok() || !gate->stop_.ok() || !gate->reserve_.ok()) {
    return absl::ResourceExhaustedError(
        "too many open files to listen; raise the limit (ulimit -n)");
  }
  RETURN_IF_ERROR(gate->Watch(gate->stop_.get(), EPOLLIN));
  for (const FileDescriptor& socket : gate->listener_.sockets) {
    RETURN_IF_ERROR(gate->Watch(socket.get(), EPOLLIN));
  }
  gate->thread_ = std::thread([gate = gate.get()] { gate->Run(); });
  return gate;
}

ConnectionGate::~ConnectionGate() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  while (write(stop_.get(), &one, sizeof(one)) < 0 && errno == EINTR) {
  }
  thread_.join();
}

absl::Status ConnectionGate::Watch(int file, std::uint32_t events) {
  epoll_event event = {};
  event.events = events;
  event.data.fd = file;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, file, &event) == 0) {
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(errno, "epoll_ctl");
}

void ConnectionGate::Run() {
  std::array<epoll_event, 64> events;
  for (;;) {
    const int count = epoll_wait(epoll_.get(), events.data(),
                                 static_cast<int>(events.size()), -1);
    // Ended connections first, because they make room.
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd == stop_.get()) return;
      if (events[i].events & EPOLLHUP) Forget(events[i].data.fd);
    }
    for (int i = 0; i < count; ++i) {
      const int file = events[i].data.fd;
      const bool listens =
          std::any_of(listener_.sockets.begin(), listener_.sockets.end(),
                      [file](const FileDescriptor& socket) {
                        return socket.get() == file;
                      });
      if (listens) AcceptAll(file);
    }
    if (told_at_ && 2 * static_cast<int>(open_.size()) < *told_at_) {
      told_at_.reset();
    }
  }
}

void ConnectionGate::Forget(int second) {
  // Closing would not suffice: the socket may still have its first descriptor.
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, second, nullptr);
  open_.erase(second);
  open_metric_.Set(static_cast<double>(open_.size()));
}

void ConnectionGate::AcceptAll(int listener) {
  // Bounded, so that ended connections are counted before more are accepted.
  for (int i = 0; i < 64; ++i) {
    FileDescriptor connection(
        accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connection.ok()) {
      Admit(listener, std::move(connection));
      continue;
    }
    if (errno == EMFILE || errno == ENFILE) {
      if (!RefuseWithReserve(listener)) return;
    } else if (errno == ENOBUFS || errno == ENOMEM) {
      poll(nullptr, 0, 100);  // The socket is still readable: wait.
    } else if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO) {
      return;
    }
  }
}

bool ConnectionGate::RefuseWithReserve(int listener) {
  reserve_.Reset();
  FileDescriptor connection(
      accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  const bool waited = connection.ok();
  if (waited) {
    Refuse(std::move(connection));
  } else if (errno != EAGAIN) {
    poll(nullptr, 0, 100);  // Another thread took the descriptor.
  }
  reserve_ = OpenReserve();
  return waited;
}

void ConnectionGate::Admit(int listener, FileDescriptor connection) {
  if (static_cast<int>(open_.size()) >= max_connections_) {
    Refuse(std::move(connection));
    return;
  }
  FileDescriptor second(fcntl(connection.get(), F_DUPFD_CLOEXEC, 0));
  // Only EPOLLHUP and EPOLLERR, which are always reported, once for each
  // change. The owner handles errors.
  if (!second.ok() || !Watch(second.get(), EPOLLET).ok()) {
    Refuse(std::move(connection));
    return;
  }
  const int number = second.get();
  open_.emplace(number, std::move(second));
  open_metric_.Set(static_cast<double>(open_.size()));
  hand_over_(listener, connection.Release());
}

void ConnectionGate::Refuse(FileDescriptor connection) {
  refused_metric_.Increment();  // Before the close that peers see.
  connection.Reset();
  if (told_at_) return;
  told_at_ = static_cast<int>(open_.size());
  LogWarning("connections_refused",
             {{"open", *told_at_}, {"max_connections", max_connections_}});
}

int AllowConnections(int wanted) {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  const rlim_t files = 2 * static_cast<rlim_t>(wanted) + kOtherFiles;
  if (limit.rlim_cur >= files) return wanted;
  rlimit raised = limit;
  raised.rlim_cur = std::min(files, limit.rlim_max);
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  if (limit.rlim_cur >= files) return wanted;
  const rlim_t spare =
      limit.rlim_cur > kOtherFiles ? limit.rlim_cur - kOtherFiles : 0;
  return std::max(1, static_cast<int>(spare / 2));
}

}  // namespace apollo

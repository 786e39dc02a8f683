#include "serving/port_watch.h"

#include <absl/strings/str_cat.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/log.h"
#include "serving/host_port.h"
#include "serving/unix_address.h"

namespace apollo {
namespace {

// A name may also have addresses of other machines, which do not matter here.
bool IsOfThisMachine(const addrinfo& address, const FileDescriptor& socket) {
  sockaddr_storage any_port = {};
  std::memcpy(&any_port, address.ai_addr, address.ai_addrlen);
  if (address.ai_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6&>(any_port).sin6_port = 0;
  } else {
    reinterpret_cast<sockaddr_in&>(any_port).sin_port = 0;
  }
  return bind(socket.get(), reinterpret_cast<const sockaddr*>(&any_port),
              address.ai_addrlen) == 0;
}

SocketAddress AddressOf(const std::string& path) {
  SocketAddress to;
  if (path.size() > kMaxUnixPath) return to;
  const sockaddr_un address = UnixSocketAddress(path);
  to.size = sizeof(address);
  std::memcpy(&to.address, &address, sizeof(address));
  return to;
}

// Returns true if the errno of a connect means that nobody accepts there.
bool IsRefusal(int error, const SocketAddress& to) {
  if (error == ECONNREFUSED) return true;
  // The file is gone, or the queue of connections is full.
  return to.address.ss_family == AF_UNIX &&
         (error == ENOENT || error == EAGAIN);
}

}  // namespace

std::vector<SocketAddress> OwnAddresses(const std::string& address) {
  if (const auto path = UnixPath(address)) return {AddressOf(*path)};
  const std::optional<HostPort> parsed = ParseHostPort(address);
  if (!parsed) return {};
  std::string host = parsed->host;
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  if (host.empty() || host == "0.0.0.0" || host == "::") host = "127.0.0.1";
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(parsed->port).c_str(), &hints,
                  &found) != 0) {
    return {};
  }
  std::vector<SocketAddress> addresses;
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
    const FileDescriptor trial(
        socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!trial.ok() || !IsOfThisMachine(*a, trial)) continue;
    SocketAddress& to = addresses.emplace_back();
    to.size = a->ai_addrlen;
    std::memcpy(&to.address, a->ai_addr, to.size);
  }
  freeaddrinfo(found);
  return addresses;
}

PortWatch::PortWatch(std::string flag, std::string address,
                     std::vector<SocketAddress> to, std::string greeting,
                     const Clock& clock)
    : flag_(std::move(flag)),
      address_(std::move(address)),
      greeting_(std::move(greeting)),
      clock_(clock),
      to_(std::move(to)),
      next_(clock.Now() + kInterval) {}

absl::Status PortWatch::Look() {
  const absl::Duration now = clock_.Now();
  if (socket_.ok()) {
    Continue(now);
  } else if (!to_.empty() && now >= next_) {
    Begin(now);
  }
  if (!answered_ || failures_ < kFailures) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(
      "--", flag_, ": ", address_, " takes no connections: ", failures_,
      " trials in a row failed"));
}

void PortWatch::Begin(absl::Duration now) {
  began_ = now;
  greeted_ = false;
  const SocketAddress& to = to_.front();
  socket_.Reset(socket(to.address.ss_family,
                       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket_.ok()) {
    End(Outcome::kNone, now);
    return;
  }
  if (connect(socket_.get(), reinterpret_cast<const sockaddr*>(&to.address),
              to.size) == 0 ||
      errno == EINPROGRESS) {
    Continue(now);
  } else {
    End(IsRefusal(errno, to) ? Outcome::kBad : Outcome::kNone, now);
  }
}

void PortWatch::Continue(absl::Duration now) {
  pollfd ready = {socket_.get(), POLLIN, 0};
  if (!greeted_) ready.events |= POLLOUT;
  poll(&ready, 1, 0);
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error == ECONNREFUSED || error == ETIMEDOUT) {
    End(Outcome::kBad, now);
  } else if (ready.revents & (POLLIN | POLLHUP | POLLERR)) {
    End(Outcome::kGood, now);
  } else if (now - began_ >= kPatience) {
    End(Outcome::kBad, now);
  } else if (ready.revents & POLLOUT) {
    greeted_ = true;
    send(socket_.get(), greeting_.data(), greeting_.size(), MSG_NOSIGNAL);
  }
}

void PortWatch::End(Outcome outcome, absl::Duration now) {
  socket_.Reset();
  next_ = now + kInterval;
  if (outcome == Outcome::kGood) {
    failures_ = 0;
    answered_ = true;
  }
  // An address that has not answered may not be the server's.
  if (outcome != Outcome::kGood && !answered_ && !to_.empty()) {
    std::rotate(to_.begin(), to_.begin() + 1, to_.end());
  }
  if (outcome != Outcome::kBad) return;
  ++failures_;
  if (answered_ && failures_ == 1) {
    LogWarning("port_silent", {{"flag", flag_}, {"address", address_}});
  }
  if (!answered_ && failures_ == kFailures * static_cast<int>(to_.size())) {
    LogWarning("port_not_watched",
               {{"flag", flag_},
                {"address", address_},
                {"reason", "it has never answered this process itself"}});
  }
}

}  // namespace apollo

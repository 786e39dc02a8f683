#include "serving/port_watch.h"

#include <absl/strings/str_cat.h>
#include <netdb.h>
#include <poll.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/log.h"
#include "serving/host_port.h"

namespace apollo {
namespace {

// Stores the (first) address. Returns its size, or 0 if there is none.
socklen_t Resolve(const std::string& address, sockaddr_storage& to) {
  const std::optional<HostPort> parsed = ParseHostPort(address);
  if (!parsed) return 0;
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
    return 0;
  }
  const socklen_t size = found->ai_addrlen;
  std::memcpy(&to, found->ai_addr, size);
  freeaddrinfo(found);
  return size;
}

}  // namespace

PortWatch::PortWatch(std::string flag, std::string address,
                     std::string greeting, const Clock& clock)
    : flag_(std::move(flag)),
      address_(std::move(address)),
      greeting_(std::move(greeting)),
      clock_(clock),
      to_size_(Resolve(address_, to_)),
      next_(clock.Now() + kInterval) {}

absl::Status PortWatch::Look() {
  const absl::Duration now = clock_.Now();
  if (socket_.ok()) {
    Continue(now);
  } else if (to_size_ > 0 && now >= next_) {
    Begin(now);
  }
  if (failures_ < kFailures) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(
      "--", flag_, ": ", address_, " takes no connections: ", failures_,
      " trials in a row failed"));
}

void PortWatch::Begin(absl::Duration now) {
  began_ = now;
  greeted_ = false;
  socket_.Reset(
      socket(to_.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket_.ok()) {
    End(Outcome::kNone, now);
    return;
  }
  if (connect(socket_.get(), reinterpret_cast<const sockaddr*>(&to_),
              to_size_) == 0 ||
      errno == EINPROGRESS) {
    Continue(now);
  } else {
    End(errno == ECONNREFUSED ? Outcome::kBad : Outcome::kNone, now);
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
  if (outcome == Outcome::kGood) failures_ = 0;
  if (outcome != Outcome::kBad) return;
  if (++failures_ == 1) {
    LogWarning("port_silent", {{"flag", flag_}, {"address", address_}});
  }
}

}  // namespace apollo

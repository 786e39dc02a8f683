#include "tests/faults/cluster/proxy_connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace apollo {
namespace {

// More waits with its sender.
constexpr std::size_t kMostBytes = std::size_t{1} << 20;
constexpr std::size_t kReadBytes = std::size_t{1} << 16;

bool WouldBlock() { return errno == EAGAIN || errno == EINTR; }

}  // namespace

ProxyConnection::ProxyConnection(int client, int target)
    : sockets_{client, target} {}

ProxyConnection::~ProxyConnection() {
  for (const int socket : sockets_) close(socket);
}

bool ProxyConnection::MayRead(Way way, const ProxyFaults& faults) const {
  return !faults.held[static_cast<int>(way)] && !Of(way).at_end &&
         Of(way).size < kMostBytes;
}

bool ProxyConnection::MayWrite(Way way, absl::Duration now) const {
  return !Of(way).pieces.empty() && Of(way).pieces.front().due <= now;
}

void ProxyConnection::AppendPolls(const ProxyFaults& faults, absl::Duration now,
                                  std::vector<pollfd>& polls) const {
  for (const Way way : {Way::kToTarget, Way::kToClient}) {
    const Way back = way == Way::kToTarget ? Way::kToClient : Way::kToTarget;
    short events = 0;
    if (MayRead(way, faults)) events |= POLLIN;
    if (MayWrite(back, now)) events |= POLLOUT;
    // poll() reports the end of a socket even if nothing is asked for.
    polls.push_back({events == 0 ? -1 : Source(way), events, 0});
  }
}

absl::Duration ProxyConnection::NextDue(absl::Duration now) const {
  absl::Duration next = absl::InfiniteDuration();
  for (const Pipe& pipe : pipes_) {
    if (pipe.pieces.empty()) continue;
    const absl::Duration due = pipe.pieces.front().due;
    if (due > now) next = std::min(next, due);
  }
  return next;
}

void ProxyConnection::Handle(const pollfd* polls, ProxyFaults& faults,
                             absl::Duration now, std::minstd_rand& random) {
  for (const Way way : {Way::kToTarget, Way::kToClient}) {
    const short found = polls[static_cast<int>(way)].revents;
    if ((found & (POLLIN | POLLHUP | POLLERR)) != 0 && MayRead(way, faults)) {
      Read(way, faults, now, random);
    }
  }
  for (const Way way : {Way::kToTarget, Way::kToClient}) Write(way, now);
  const bool flushed = pipes_[0].pieces.empty() && pipes_[1].pieces.empty();
  if (flushed && (truncated_ || (pipes_[0].at_end && pipes_[1].at_end))) {
    ended_ = true;
  }
}

void ProxyConnection::Read(Way way, ProxyFaults& faults, absl::Duration now,
                           std::minstd_rand& random) {
  Pipe& pipe = Of(way);
  std::string bytes(kReadBytes, '\0');
  const ssize_t count = read(Source(way), bytes.data(), bytes.size());
  if (count < 0) {
    if (!WouldBlock()) Reset();
    return;
  }
  if (count == 0) {
    pipe.at_end = true;
    return;
  }
  bytes.resize(static_cast<std::size_t>(count));
  std::optional<std::int64_t>& left = faults.bytes_left[static_cast<int>(way)];
  if (left) {
    if (*left < count) {
      bytes.resize(static_cast<std::size_t>(*left));
      truncated_ = pipes_[0].at_end = pipes_[1].at_end = true;
      left.reset();  // Spent on this connection.
    } else {
      *left -= count;
    }
  }
  if (bytes.empty()) return;
  absl::Duration due = now + faults.delay;
  if (faults.loss > 0 && std::bernoulli_distribution(faults.loss)(random)) {
    due += kRetransmission;
  }
  // TCP keeps the order.
  if (!pipe.pieces.empty()) due = std::max(due, pipe.pieces.back().due);
  pipe.size += bytes.size();
  pipe.pieces.push_back({due, std::move(bytes)});
}

void ProxyConnection::Write(Way way, absl::Duration now) {
  Pipe& pipe = Of(way);
  while (!ended_ && MayWrite(way, now)) {
    std::string& bytes = pipe.pieces.front().bytes;
    const ssize_t count =
        send(Destination(way), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0) {
      if (!WouldBlock()) Reset();
      return;
    }
    pipe.size -= static_cast<std::size_t>(count);
    bytes.erase(0, static_cast<std::size_t>(count));
    if (!bytes.empty()) return;
    pipe.pieces.pop_front();
  }
  if (pipe.at_end && pipe.pieces.empty() && !pipe.end_passed) {
    pipe.end_passed = true;
    shutdown(Destination(way), SHUT_WR);
  }
}

void ProxyConnection::Reset() {
  const linger now = {.l_onoff = 1, .l_linger = 0};
  for (const int socket : sockets_) {
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  }
  ended_ = true;
}

}  // namespace apollo

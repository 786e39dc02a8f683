#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>
#include <sys/socket.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "serving/file_descriptor.h"

namespace apollo {

struct SocketAddress {
  sockaddr_storage address = {};
  socklen_t size = 0;
};

// Returns the addresses that a host:port has on this machine: 127.0.0.1 for all
// of them (an empty host, 0.0.0.0 or [::]), and none for a host that cannot be
// resolved; or that of unix:/path.
std::vector<SocketAddress> OwnAddresses(const std::string& address);

// Watches from inside that one of the process's own ports takes connections: a
// server that has stopped accepting, for example when it ran out of open files,
// may still seem healthy in every other way. From time to time the watch
// connects to the port and waits for any reaction: bytes, or the end of the
// connection, with which a server that is full refuses it. A trial that cannot
// be made, because this process lacks a descriptor itself, says nothing. Nor do
// trials before the first that succeeds: then the process cannot reach its own
// port, for example because of a firewall, although others may.
//
// Never blocks. Single-threaded.
class PortWatch {
 public:
  static constexpr absl::Duration kInterval = absl::Seconds(10);
  static constexpr absl::Duration kPatience = absl::Seconds(20);
  static constexpr int kFailures = 3;

  // `flag` and `address` name the port in errors. Of the addresses `to`, one
  // that answers is watched: a server may listen on some only. Without any,
  // nothing is watched. `greeting` is sent first; it is empty where the server
  // speaks first. The clock must outlive the watch.
  PortWatch(std::string flag, std::string address,
            std::vector<SocketAddress> to, std::string greeting,
            const Clock& clock);
  PortWatch(std::string flag, std::string address, std::string greeting,
            const Clock& clock)
      : PortWatch(std::move(flag), address, OwnAddresses(address),
                  std::move(greeting), clock) {}

  // Begins, continues or ends a trial. Call it several times a second. Returns
  // OK, or UNAVAILABLE naming the port once kFailures trials in a row, each
  // kInterval after the other, have failed after one that succeeded: nothing
  // accepted the connection, or nobody reacted for kPatience. Logs the first
  // failure, and once if no trial ever succeeds.
  absl::Status Look();

 private:
  enum class Outcome { kNone, kGood, kBad };

  void Begin(absl::Duration now);
  void Continue(absl::Duration now);
  void End(Outcome outcome, absl::Duration now);

  const std::string flag_;
  const std::string address_;
  const std::string greeting_;
  const Clock& clock_;
  // The first is tried next. Empty: not watched.
  std::vector<SocketAddress> to_;
  bool answered_ = false;  // The first of them has.

  FileDescriptor socket_;  // Of the trial, if there is one.
  bool greeted_ = false;
  absl::Duration began_;
  absl::Duration next_;
  int failures_ = 0;  // In a row.
};

}  // namespace apollo

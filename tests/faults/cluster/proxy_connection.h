#pragma once

#include <absl/time/time.h>
#include <poll.h>

#include <cstddef>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "tests/faults/cluster/proxy_faults.h"

namespace apollo {

// One connection through a Proxy: two sockets, and the data on their way from
// one to the other. Owns the sockets. Single-threaded.
class ProxyConnection {
 public:
  // Takes two connected, non-blocking sockets: of the client, which dialled the
  // proxy, and of the target.
  ProxyConnection(int client, int target);
  ~ProxyConnection();
  ProxyConnection(const ProxyConnection&) = delete;
  ProxyConnection& operator=(const ProxyConnection&) = delete;

  // Appends the two entries for poll(), which Handle() reads afterwards.
  void AppendPolls(const ProxyFaults& faults, absl::Duration now,
                   std::vector<pollfd>& polls) const;
  // Returns the time after `now` at which the next delayed data is due;
  // infinite if none is.
  absl::Duration NextDue(absl::Duration now) const;
  // Moves what poll() found to be possible. `polls`: the two entries.
  void Handle(const pollfd* polls, ProxyFaults& faults, absl::Duration now,
              std::minstd_rand& random);
  // Returns true if the connection has ended and can be destroyed.
  bool ended() const { return ended_; }
  // Makes the end a reset, for both sides, and ends the connection.
  void Reset();

 private:
  struct Piece {
    absl::Duration due;
    std::string bytes;
  };
  struct Pipe {
    std::deque<Piece> pieces;
    std::size_t size = 0;     // Of all pieces, in bytes.
    bool at_end = false;      // The source has ended, or is cut.
    bool end_passed = false;  // The destination knows.
  };

  void Read(Way way, ProxyFaults& faults, absl::Duration now,
            std::minstd_rand& random);
  void Write(Way way, absl::Duration now);
  int Source(Way way) const { return sockets_[static_cast<int>(way)]; }
  int Destination(Way way) const { return sockets_[1 - static_cast<int>(way)]; }
  Pipe& Of(Way way) { return pipes_[static_cast<int>(way)]; }
  const Pipe& Of(Way way) const { return pipes_[static_cast<int>(way)]; }
  bool MayRead(Way way, const ProxyFaults& faults) const;
  bool MayWrite(Way way, absl::Duration now) const;

  const int sockets_[kWays];  // Client, target.
  Pipe pipes_[kWays];
  bool truncated_ = false;
  bool ended_ = false;
};

}  // namespace apollo

#pragma once

#include <absl/time/time.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "link/link_session.h"
#include "link/worker_details.h"

namespace apollo {

// Keeps one link open to every address of a list. Dials new addresses, and
// redials after a loss, with growing pauses. Reports links to LinkEvents. A
// link whose address leaves the list is not redialled; one that is up stays
// open until its owner, which is told by OnLinkLeaving, closes it. Thread-safe.
class PeerSet {
 public:
  // `events` and `clock` must outlive the set.
  PeerSet(Dialer dialer, WorkerInfo self, LinkEvents& events,
          const Clock& clock = Clock::Real());
  // Closes all links and waits until each has ended.
  ~PeerSet();
  PeerSet(const PeerSet&) = delete;
  PeerSet& operator=(const PeerSet&) = delete;

  // Sets the addresses to dial. Initially there are none.
  void SetMembers(const std::vector<std::string>& addresses);

  // Starts a thread that polls every kPollInterval and when the list changes.
  void Start();

  // Polls once. For tests, instead of Start.
  void Poll();

  // Returns what is known of every address, ordered, but for this process
  // itself. An address that has left the list is there while its link is.
  std::vector<ListedWorker> Describe();

  static constexpr absl::Duration kPollInterval = absl::Milliseconds(50);
  static constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
  // With the time that a connection takes, a worker that is listed before it
  // starts is found within 2 s.
  static constexpr absl::Duration kLongestPause = absl::Seconds(1);

 private:
  struct Peer {
    std::shared_ptr<LinkSession> session;  // Null while there is no link.
    std::shared_ptr<Link> link;           // Null until the dialer has returned.
    bool is_self = false;                 // Never dialled again.
    bool leaving = false;                 // The session was told.
    int failures = 0;                     // Since the link was last long-lived.
    std::optional<WorkerInfo> last = {};  // Sent over the last link.
    std::string lost = {};                // Why the last link ended.
    absl::Duration dialed_at;
    absl::Duration next_dial = -absl::InfiniteDuration();
  };

  // Opens a link to an address; a session for it is in peers_.
  void Dial(const std::string& address,
            const std::shared_ptr<LinkSession>& session);
  // `name` is that of the peer; empty: it has given none over this link.
  void Ended(const std::string& address, const absl::Status& status,
             const std::string& name);

  // Constant after construction.
  const Dialer dialer_;
  const WorkerInfo self_;
  LinkEvents& events_;
  const Clock& clock_;
  // Constant after Start.
  std::thread thread_;

  Mutex mutex_;
  CondVar changed_;
  std::set<std::string> members_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Peer> peers_ ABSL_GUARDED_BY(mutex_);
  bool members_changed_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace apollo

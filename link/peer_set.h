#pragma once

#include <absl/time/time.h>

#include <map>
#include <memory>
#include <string>
#include <thread>

#include "common/clock.h"
#include "common/mutex.h"
#include "link/link_session.h"
#include "link/membership.h"

namespace apollo {

// Keeps one link open to every address of a membership list: dials new
// addresses, dials again after a loss (soon at first, then with growing
// pauses), closes links to addresses that left. Links appear in LinkEvents.
class PeerSet {
 public:
  // `events` and `clock` must outlive the set.
  PeerSet(Membership membership, Dialer dialer, Hello self, LinkEvents& events,
          const Clock& clock = Clock::Real());
  // Closes all links and waits until each has ended.
  ~PeerSet();
  PeerSet(const PeerSet&) = delete;
  PeerSet& operator=(const PeerSet&) = delete;

  // Looks after the links every kPollInterval in a thread of its own.
  void Start();

  // One look: what the thread does. For tests, instead of Start.
  void Poll();

  static constexpr absl::Duration kPollInterval = absl::Milliseconds(50);
  static constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
  static constexpr absl::Duration kLongestPause = absl::Seconds(2);

 private:
  struct Peer {
    std::shared_ptr<Link> link;  // Null while there is none.
    bool dialing = false;        // A link exists that has not ended.
    bool is_self = false;        // Never dialled again.
    int failures = 0;            // Since the link was last long-lived.
    absl::Duration dialed_at;
    absl::Duration next_dial = -absl::InfiniteDuration();
  };

  void Ended(const std::string& address, const absl::Status& status);

  const Dialer dialer_;
  const Hello self_;
  LinkEvents& events_;
  const Clock& clock_;
  std::thread thread_;

  Mutex mutex_;
  CondVar changed_;
  Membership membership_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Peer> peers_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace apollo

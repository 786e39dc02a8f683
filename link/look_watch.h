#pragma once

#include <absl/time/time.h>

#include <optional>

namespace apollo {

// Tells whether this process can judge that its peers are silent. A process
// that was itself frozen, or got no processor, has not read what its peers have
// sent meanwhile: to it, all of them look dead. So after a look that comes
// late, it judges nobody for as long as a peer may be unheard. Single-threaded.
class LookWatch {
 public:
  // `lease`: the time without a sign of life after which a peer counts as
  // unheard. Looks are made several times in a lease; one that comes more than
  // half a lease after the last is late.
  explicit LookWatch(absl::Duration lease) : lease_(lease) {}

  // Notes a look at the time `now`. Returns true if all looks of the last lease
  // came in time.
  bool Look(absl::Duration now) {
    if (last_ && now - *last_ > lease_ / 2) late_ = now;
    last_ = now;
    return !late_ || now - *late_ > lease_;
  }

 private:
  const absl::Duration lease_;
  std::optional<absl::Duration> last_;
  std::optional<absl::Duration> late_;  // The last late look.
};

// The limits for which a process can judge its peers.
struct Attentiveness {
  bool lease = true;
  bool timeout = true;
};

// A LookWatch for each of two limits: looks that come too late for the short
// one, because of long steps, need not put the long one off.
class AttentionWatch {
 public:
  AttentionWatch(absl::Duration lease, absl::Duration timeout)
      : lease_(lease), timeout_(timeout) {}
  Attentiveness Look(absl::Duration now) {
    return {lease_.Look(now), timeout_.Look(now)};
  }

 private:
  LookWatch lease_;
  LookWatch timeout_;
};

}  // namespace apollo

#pragma once

#include <absl/time/time.h>

#include "router/access/caller.h"

namespace apollo {

// A token bucket: units flow in at a rate, up to a burst, and calls take them
// out. It is full at first. Not thread-safe. `now` must not decrease.
class TokenBucket {
 public:
  TokenBucket(const RateLimit& limit, absl::Duration now);

  // Changes the limit; what is in the bucket stays, up to the new burst.
  void SetLimit(const RateLimit& limit, absl::Duration now);

  // Returns the time after which `amount` may be taken, if nobody takes
  // anything before; zero: now. More than the burst may be taken from a full
  // bucket, whose content is then negative for a while. So nothing is refused
  // for ever, and the rate holds in the long run.
  absl::Duration WaitFor(double amount, absl::Duration now);

  // Takes an amount, even if it is not there.
  void Take(double amount, absl::Duration now);
  // Puts back what was taken and not used; what exceeds the burst is lost.
  void Put(double amount, absl::Duration now);

  // Returns the content, which may be negative.
  double Available(absl::Duration now);
  // Returns true if it holds the burst.
  bool Full(absl::Duration now);

 private:
  void Fill(absl::Duration now);

  RateLimit limit_;
  double content_;
  absl::Duration filled_;
};

}  // namespace apollo

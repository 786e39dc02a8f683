#include "dense_worker/queue_delay.h"

#include <algorithm>
#include <cmath>

namespace apollo {

double QueueDelay::Decayed(absl::Duration now) const {
  return tokens_ * std::exp(-absl::FDivDuration(now - last_, kMemory));
}

void QueueDelay::Admitted(std::int64_t tokens, absl::Duration now) {
  if (!first_) first_ = last_ = now;
  tokens_ = Decayed(now) + static_cast<double>(tokens);
  last_ = now;
}

absl::Duration QueueDelay::Estimate(std::int64_t tokens,
                                    absl::Duration now) const {
  if (!first_) return kMost;
  // At a steady rate of r tokens per second since the first admission, the sum
  // is r * memory * (1 - exp(-age / memory)).
  const absl::Duration age = std::max(now - *first_, absl::Seconds(1));
  const double seconds = absl::ToDoubleSeconds(kMemory) *
                         (1 - std::exp(-absl::FDivDuration(age, kMemory)));
  const double rate = Decayed(now) / seconds;
  // Written so that a rate of 0 gives the longest time.
  const double most = absl::ToDoubleSeconds(kMost);
  const auto waiting = static_cast<double>(tokens);
  if (!(rate * most > waiting)) return kMost;
  return std::max(kLeast, absl::Seconds(waiting / rate));
}

}  // namespace apollo

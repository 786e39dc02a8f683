#include "clients/cpp/attempts.h"

#include <absl/random/random.h>

#include <algorithm>
#include <utility>

namespace apollo::clients {

double Draw(const std::function<double()>& random) {
  if (random) return random();
  absl::BitGen bits;
  return absl::Uniform(bits, 0.0, 1.0);
}

Attempts::Attempts(Options options)
    : options_(std::move(options)), router_(options_.first) {}

std::optional<absl::Duration> Attempts::Next(const Retry& retry,
                                             int max_attempts) {
  ++failures_;
  if (!retry.wanted || failures_ >= max_attempts) return std::nullopt;
  router_ = (router_ + 1) % options_.routers;
  return std::max(absl::ZeroDuration(), retry.pause.value_or(OwnPause()));
}

absl::Duration Attempts::OwnPause() const {
  const auto failures = static_cast<std::size_t>(failures_);
  if (failures % options_.routers != 0) return absl::ZeroDuration();
  const std::size_t rounds =
      std::min<std::size_t>(failures / options_.routers, 20);
  const absl::Duration longest = std::min(
      options_.first_pause * (1 << (rounds - 1)), options_.longest_pause);
  return longest * (0.5 + 0.5 * Draw(options_.random));
}

}  // namespace apollo::clients

#include "tests/faults/network/wire.h"

namespace apollo {

std::optional<absl::Duration> Wire::Arrival(absl::Duration now) {
  if (faults.cut) return std::nullopt;
  if (faults.loss > 0 && std::bernoulli_distribution(faults.loss)(random_)) {
    return std::nullopt;
  }
  return now + faults.delay;
}

}  // namespace apollo

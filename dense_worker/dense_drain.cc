#include "dense_worker/dense_drain.h"

#include <utility>

namespace apollo {

DenseDrain::DenseDrain(const DrainOptions& options, Worker worker,
                       const Clock& clock)
    : options_(options),
      worker_(std::move(worker)),
      clock_(clock),
      begun_(clock.Now()) {}

bool DenseDrain::Step() {
  const absl::Duration passed = clock_.Now() - begun_;
  const bool late = passed >= options_.timeout;
  if (!late && passed < kNotice && worker_.has_routers()) return false;
  if (worker_.calls() == 0) return true;
  // After the time-out also without others: they may come while routers wait.
  if (late || (options_.move && worker_.has_others())) worker_.hand_over();
  return passed >= options_.timeout + kLastMoves;
}

}  // namespace apollo

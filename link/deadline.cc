#include "link/deadline.h"

namespace apollo {
namespace {

using std::chrono::system_clock;

constexpr absl::Duration kForever = absl::Hours(24 * 365 * 100);

}  // namespace

absl::Duration DeadlineOnClock(system_clock::time_point deadline,
                               system_clock::time_point now,
                               absl::Duration clock_now) {
  if (deadline == system_clock::time_point::max()) {
    return absl::InfiniteDuration();
  }
  return clock_now + absl::FromChrono(deadline - now);
}

system_clock::time_point DeadlineOfCall(absl::Duration deadline,
                                        system_clock::time_point now,
                                        absl::Duration clock_now) {
  const absl::Duration left = deadline - clock_now;
  if (left > kForever) return system_clock::time_point::max();
  return now + std::chrono::duration_cast<system_clock::duration>(
                   absl::ToChronoNanoseconds(left));
}

}  // namespace apollo

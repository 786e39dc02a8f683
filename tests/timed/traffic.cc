#include "tests/timed/traffic.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace apollo {

Traffic::Traffic(Options options, TimedCluster& cluster, VirtualTime& time)
    : options_(std::move(options)),
      cluster_(cluster),
      time_(time),
      random_(options_.seed),
      eras_(options_.rates.size()) {
  for (std::size_t family = 0; family < options_.rates.size(); ++family) {
    Next(static_cast<int>(family), 0);
  }
}

void Traffic::SetRate(int family, double per_second) {
  const auto index = static_cast<std::size_t>(family);
  options_.rates[index] = per_second;
  Next(family, ++eras_[index]);
}

void Traffic::Next(int family, std::uint64_t era) {
  const auto index = static_cast<std::size_t>(family);
  if (options_.rates[index] <= 0) return;
  // An exponential distribution: 53 random bits, above 0.
  const double uniform =
      (static_cast<double>(random_() >> 11) + 1) / 9007199254740993.0;
  const absl::Duration pause =
      absl::Seconds(-std::log(uniform) / options_.rates[index]);
  time_.After(pause, [this, family, era, index] {
    if (stopped_ || era != eras_[index]) return;
    GenerationRequest request;
    const std::uint64_t word = random_();
    for (int i = 0; i < options_.prompt; ++i) {
      request.prompt.push_back(
          static_cast<std::int32_t>((word >> (i % 48)) * 31 +
                                    static_cast<std::uint64_t>(i)) &
          255);
    }
    request.family = family;
    request.hybrid = options_.hybrid;
    request.max_new_tokens = options_.new_tokens;
    answers_.push_back({family, cluster_.Submit(0, request), request});
    Next(family, era);
  });
}

double Traffic::Rate(absl::Duration from, absl::Duration to) const {
  std::int64_t tokens = 0;
  for (const Answer& answer : answers_) {
    for (const absl::Duration time : answer.sink->times) {
      tokens += time >= from && time < to;
    }
  }
  return static_cast<double>(tokens) / absl::ToDoubleSeconds(to - from);
}

absl::Duration Traffic::Pause(double quantile, absl::Duration from,
                              absl::Duration to) const {
  std::vector<absl::Duration> pauses;
  for (const Answer& answer : answers_) {
    absl::Duration last = answer.sink->submitted;
    for (const absl::Duration time : answer.sink->times) {
      if (time >= from && time < to) pauses.push_back(time - last);
      last = time;
    }
  }
  if (pauses.empty()) return absl::InfiniteDuration();
  const auto index =
      static_cast<std::size_t>(quantile * static_cast<double>(pauses.size()));
  const auto nth = pauses.begin() + static_cast<std::ptrdiff_t>(
                                        std::min(index, pauses.size() - 1));
  std::nth_element(pauses.begin(), nth, pauses.end());
  return *nth;
}

}  // namespace apollo

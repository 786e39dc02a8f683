#include "tests/faults/streams/pauses.h"

#include <algorithm>
#include <cmath>

namespace apollo {

void Pauses::Add(const Pauses& others) {
  pauses_.insert(pauses_.end(), others.pauses_.begin(), others.pauses_.end());
}

absl::Duration Pauses::Quantile(double part) const {
  if (pauses_.empty()) return absl::ZeroDuration();
  const auto size = static_cast<double>(pauses_.size());
  const double rank = std::clamp(std::ceil(part * size), 1.0, size);
  std::vector<absl::Duration> sorted = pauses_;
  const auto at = sorted.begin() + static_cast<std::ptrdiff_t>(rank) - 1;
  std::nth_element(sorted.begin(), at, sorted.end());
  return *at;
}

Pauses PausesAt(const std::vector<Transcript>& transcripts,
                absl::Duration fault, absl::Duration reach,
                const Counts& counts) {
  Pauses pauses;
  for (const Transcript& transcript : transcripts) {
    if (counts && !counts(transcript)) continue;
    for (const ChoiceTranscript& choice : transcript.choices) {
      const auto& times = choice.times;
      if (times.empty() || times.front() > fault || times.back() <= fault) {
        continue;
      }
      absl::Duration longest = absl::ZeroDuration();
      for (std::size_t i = 1; i < times.size(); ++i) {
        if (times[i] <= fault || times[i - 1] >= fault + reach) continue;
        longest = std::max(longest, times[i] - times[i - 1]);
      }
      pauses.Add(longest);
    }
  }
  return pauses;
}

Pauses GapsWithin(const std::vector<Transcript>& transcripts,
                  absl::Duration from, absl::Duration until,
                  const Counts& counts) {
  Pauses gaps;
  for (const Transcript& transcript : transcripts) {
    if (counts && !counts(transcript)) continue;
    for (const ChoiceTranscript& choice : transcript.choices) {
      const auto& times = choice.times;
      for (std::size_t i = 1; i < times.size(); ++i) {
        if (times[i - 1] < from || times[i - 1] >= until) continue;
        gaps.Add(times[i] - times[i - 1]);
      }
    }
  }
  return gaps;
}

}  // namespace apollo

#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <optional>

namespace apollo {

// Estimates how long the sequences that wait for room will take to get it, from
// the tokens that have left the queue lately. Time is that of a Clock.
// Single-threaded.
//
// The rate is that of the last seconds: each token counts exp(-age / kMemory).
class QueueDelay {
 public:
  // Notes that a sequence with this many known tokens was admitted.
  void Admitted(std::int64_t tokens, absl::Duration now);

  // Returns the time in which `tokens` tokens will have been admitted at the
  // present rate, from kLeast to kMost.
  absl::Duration Estimate(std::int64_t tokens, absl::Duration now) const;

  static constexpr absl::Duration kMemory = absl::Seconds(10);
  // Nobody should come back sooner than this, nor be told to stay away for
  // longer than that: the estimate of a long queue is uncertain.
  static constexpr absl::Duration kLeast = absl::Seconds(1);
  static constexpr absl::Duration kMost = absl::Seconds(30);

 private:
  double Decayed(absl::Duration now) const;

  std::optional<absl::Duration> first_;  // Time of the first admission.
  absl::Duration last_;                  // Time of `tokens_`.
  double tokens_ = 0;                    // Decayed sum.
};

}  // namespace apollo

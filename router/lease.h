#pragma once

#include <absl/time/time.h>

#include <algorithm>

namespace apollo {

// How long one worker may give no sign of life. Times are those of one clock.
// Single-threaded.
class Lease {
 public:
  // Begins, or begins anew, with a sign at `now`.
  void Renew(absl::Duration now) {
    heard_ = now;
    held_ = true;
  }
  // Ends it: nothing is expected of the worker until it is renewed.
  void End() { held_ = false; }
  // Gives the worker this much more time, because the caller itself has not run
  // for that long and may have signs that it has not seen.
  void Extend(absl::Duration time, absl::Duration now) {
    heard_ = std::min(heard_ + time, now);
  }

  // Returns true if there is a lease and its last sign is older than `length`.
  bool Expired(absl::Duration now, absl::Duration length) const {
    return held_ && now - heard_ > length;
  }
  // Returns true if there is a lease.
  bool held() const { return held_; }

 private:
  bool held_ = false;
  absl::Duration heard_;
};

// Returns the time for which a caller that runs every `interval` has not run,
// if it last ran at `before`: 0 unless it is late by more than that again.
inline absl::Duration Missed(absl::Duration before, absl::Duration now,
                             absl::Duration interval) {
  const absl::Duration late = now - before - interval;
  return late > interval ? late : absl::ZeroDuration();
}

}  // namespace apollo

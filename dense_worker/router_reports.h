#pragma once

#include <absl/time/time.h>

#include <optional>

#include "common/clock.h"
#include "common/mutex.h"

namespace apollo {

// The reports of the routers that poll a dense worker: each poll says how many
// other dense workers that router could use instead. Thread-safe.
class RouterReports {
 public:
  // `clock` must outlive the object.
  explicit RouterReports(const Clock& clock) : clock_(clock) {}

  // Records a poll. Routers that do not move sequences do not say how many
  // `others` there are.
  void Add(std::optional<int> others);

  // Returns true if some router has polled lately.
  bool Polled() const;
  // Returns true if all routers that have polled lately have other workers.
  bool AllHaveOthers() const;

  // Longer than the time between two polls of a router, which is up to 2.2 s
  // when another of its workers does not answer (kDenseAnswerLimit).
  static constexpr absl::Duration kLately = absl::Seconds(5);

 private:
  bool Lately(absl::Duration time) const;

  const Clock& clock_;
  mutable Mutex mutex_;
  // Times of the last polls of a router with other workers, and without.
  absl::Duration with_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  absl::Duration without_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
};

}  // namespace apollo

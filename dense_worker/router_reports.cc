#include "dense_worker/router_reports.h"

namespace apollo {

void RouterReports::Add(std::optional<int> others) {
  MutexLock lock(mutex_);
  (others.value_or(0) > 0 ? with_ : without_) = clock_.Now();
}

bool RouterReports::Lately(absl::Duration time) const {
  return clock_.Now() - time <= kLately;
}

bool RouterReports::Polled() const {
  MutexLock lock(mutex_);
  return Lately(with_) || Lately(without_);
}

bool RouterReports::AllHaveOthers() const {
  MutexLock lock(mutex_);
  return Lately(with_) && !Lately(without_);
}

}  // namespace apollo

#pragma once

#include <optional>

#include "common/mutex.h"
#include "sequence/generation.h"

namespace apollo {

// The numerics of the sequences of one request, which is told only one: the
// first of them to start settles them for all. Thread-safe.
class SharedNumerics {
 public:
  // Settles them, unless they are settled. Returns the settled ones.
  SequenceNumerics Settle(const SequenceNumerics& numerics) {
    MutexLock lock(mutex_);
    if (!settled_) settled_ = numerics;
    return *settled_;
  }
  // Returns the settled ones; nullopt: none are yet.
  std::optional<SequenceNumerics> settled() {
    MutexLock lock(mutex_);
    return settled_;
  }

 private:
  Mutex mutex_;
  std::optional<SequenceNumerics> settled_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo

#pragma once

#include <absl/base/thread_annotations.h>  // Macros only, nothing to link.

#include <condition_variable>
#include <mutex>

namespace apollo {

// A std::mutex that both checkers understand: clang's -Wthread-safety (which
// knows nothing about std::mutex) and ThreadSanitizer (which cannot see into a
// system-built absl::Mutex). Wait on it with CondVar.
class ABSL_LOCKABLE Mutex {
 public:
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex)
      : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

using CondVar = std::condition_variable_any;

}  // namespace apollo

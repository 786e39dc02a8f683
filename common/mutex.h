#pragma once

#include <absl/base/thread_annotations.h>  // Macros only, nothing to link.

#include <condition_variable>
#include <mutex>

namespace apollo {

// A std::mutex for two checkers: clang's -Wthread-safety, which does not know
// std::mutex, and ThreadSanitizer, which cannot see into the system's build of
// absl::Mutex. Wait with CondVar.
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

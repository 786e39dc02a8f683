#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/time/time.h>

#include <thread>

#include "common/mutex.h"

namespace apollo {

// Calls `tick` every `interval` in its own thread, until destroyed.
class Ticker {
 public:
  Ticker(absl::Duration interval, absl::AnyInvocable<void()> tick);
  // Waits for a call in progress.
  ~Ticker();
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

 private:
  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace apollo

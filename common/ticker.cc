#include "common/ticker.h"

#include <chrono>
#include <utility>

namespace apollo {

Ticker::Ticker(absl::Duration interval, absl::AnyInvocable<void()> tick)
    : thread_([this, interval, tick = std::move(tick)]() mutable {
        for (;;) {
          {
            MutexLock lock(mutex_);
            if (!stopping_) {
              changed_.wait_for(mutex_, absl::ToChronoMilliseconds(interval));
            }
            if (stopping_) return;
          }
          tick();
        }
      }) {}

Ticker::~Ticker() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

}  // namespace apollo

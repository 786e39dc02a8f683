#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>

#include <deque>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "common/mutex.h"
#include "kernels/cuda/memory.h"

namespace apollo::cuda {

// A thread that waits for points in the work of a stream, in order, and passes
// on what is to happen then.
class Completions {
 public:
  // Calls `reached` with each callback of Add, and `failed` with an error of
  // the device, both in the thread of this object. After an error, callbacks
  // are kept until the end. `device` is the index of the device.
  Completions(int device,
              std::function<void(absl::AnyInvocable<void()>)> reached,
              std::function<void(absl::Status)> failed);
  // Ends the thread once the device has reached the point that the thread waits
  // for. Destroys the callbacks that have not been passed on.
  ~Completions();
  Completions(const Completions&) = delete;
  Completions& operator=(const Completions&) = delete;

  // Marks the end of the work enqueued in `stream` so far. `then` is passed to
  // `reached` when the device has got there. One thread at a time.
  absl::Status Add(cudaStream_t stream, absl::AnyInvocable<void()> then);

 private:
  struct Point {
    Event event;
    absl::AnyInvocable<void()> then;
  };

  void Run();
  // Waits until there is a point, and takes it; nothing if the thread should
  // end.
  std::optional<Point> Next();

  const int device_;
  const std::function<void(absl::AnyInvocable<void()>)> reached_;
  const std::function<void(absl::Status)> failed_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Point> points_ ABSL_GUARDED_BY(mutex_);
  std::vector<Event> unused_ ABSL_GUARDED_BY(mutex_);  // To be used again.
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace apollo::cuda

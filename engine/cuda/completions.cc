#include "engine/cuda/completions.h"

#include <utility>

#include "common/status_macros.h"
#include "kernels/cuda/device.h"

namespace apollo::cuda {

Completions::Completions(
    int device, std::function<void(absl::AnyInvocable<void()>)> reached,
    std::function<void(absl::Status)> failed)
    : device_(device),
      reached_(std::move(reached)),
      failed_(std::move(failed)),
      thread_([this] { Run(); }) {}

Completions::~Completions() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

absl::Status Completions::Add(cudaStream_t stream,
                              absl::AnyInvocable<void()> then) {
  Point point;
  point.then = std::move(then);
  {
    MutexLock lock(mutex_);
    if (!unused_.empty()) {
      point.event = std::move(unused_.back());
      unused_.pop_back();
    }
  }
  if (point.event == nullptr) {
    ASSIGN_OR_RETURN(point.event, CreateEvent());
  }
  RETURN_IF_ERROR(CudaStatus(cudaEventRecord(point.event.get(), stream),
                             "marking the end of a step"));
  {
    MutexLock lock(mutex_);
    points_.push_back(std::move(point));
  }
  changed_.notify_all();
  return absl::OkStatus();
}

std::optional<Completions::Point> Completions::Next() {
  MutexLock lock(mutex_);
  while (points_.empty() && !stopped_) changed_.wait(mutex_);
  if (stopped_) return std::nullopt;
  Point point = std::move(points_.front());
  points_.pop_front();
  return point;
}

void Completions::Run() {
  absl::Status status = CudaStatus(cudaSetDevice(device_), "using the device");
  while (std::optional<Point> point = Next()) {
    if (status.ok()) {
      status = CudaStatus(cudaEventSynchronize(point->event.get()),
                          "completing a step");
    }
    if (!status.ok()) {
      {
        // Callbacks belong to the thread that added them: it destroys them.
        MutexLock lock(mutex_);
        points_.push_front(*std::move(point));
      }
      failed_(status);
      return;
    }
    {
      MutexLock lock(mutex_);
      unused_.push_back(std::move(point->event));
    }
    reached_(std::move(point->then));
  }
}

}  // namespace apollo::cuda

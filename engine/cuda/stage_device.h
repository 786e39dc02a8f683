#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "common/rows.h"
#include "engine/cuda/completions.h"
#include "engine/cuda/upload_ring.h"
#include "engine/post_event.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/memory.h"

namespace apollo {

struct StageDeviceOptions {
  int index = 0;     // Of the device.
  int max_rows = 0;  // Rows per step, at most: the token budget. At least 1.
  // Called once, by any thread, if the device fails after it has been opened.
  // Nothing can be computed then, and no callback is called any more: the
  // process should end. Must not destroy the stage.
  std::function<void(absl::Status)> on_failure;
};

namespace cuda {

// The device of one stage: a stream, in which all of its work is enqueued,
// memory for small arrays that a step brings from the host, and the completion
// of work as events of the engine thread. Used by one thread at a time: the one
// that loads the stage, then the engine thread.
class StageDevice {
 public:
  // Returns the bytes of device memory that a StageDevice allocates.
  static std::size_t Bytes(int max_rows);

  // Opens the device, makes it current for the calling thread, and prepares the
  // kernels. host_bytes: what the steps in flight bring from the host, at most;
  // so much page-locked memory is allocated, and some more. Returns the errors
  // of OpenDevice (kernels/cuda/device.h).
  static absl::StatusOr<std::unique_ptr<StageDevice>> Open(
      StageDeviceOptions options, std::size_t host_bytes);
  ~StageDevice();  // Stops.
  StageDevice(const StageDevice&) = delete;
  StageDevice& operator=(const StageDevice&) = delete;

  // Sets how completions are posted. Call it before the first WhenDone.
  void SetPost(PostEvent post);

  // Makes the device current for the calling thread. Each step calls it first,
  // because another thread may have loaded the stage.
  void Use();

  cudaStream_t stream() const { return stream_.get(); }
  const DeviceInfo& info() const { return info_; }
  int max_rows() const { return options_.max_rows; }
  // The device as the location of rows.
  apollo::Device device() const {
    return {apollo::Device::Kind::kCuda, info_.index};
  }

  // Enqueues a copy of `bytes` bytes of host memory to `to`, in memory of the
  // device. `data` may change when this returns. Never waits: if the device has
  // not read host_bytes bytes yet, more page-locked memory is allocated.
  void UploadTo(void* to, const void* data, std::size_t bytes);

  // Returns how often page-locked memory was allocated after Open.
  int grown() const { return ring_->grown(); }

  // Copies up to upload_bytes() bytes of host memory to the device, and returns
  // their address there, aligned to 256 bytes. The memory is used again by the
  // kUploads-th next call of Upload: it is valid for work that is enqueued
  // before.
  static constexpr int kUploads = 64;
  void* Upload(const void* data, std::size_t bytes);
  std::size_t upload_bytes() const { return upload_bytes_; }
  template <typename T>
  const T* UploadVector(std::span<const T> values) {
    return static_cast<const T*>(Upload(values.data(), values.size_bytes()));
  }

  // Calls `then` in the engine thread after everything enqueued so far has
  // completed on the device; never, if the device has failed or if Stop is
  // called before.
  void WhenDone(absl::AnyInvocable<void()> then);

  // Returns true if an operation succeeded. An error is a failure of the
  // device: the first one is passed to on_failure.
  bool Check(const absl::Status& status);
  // Returns true once the device has failed. Any thread.
  bool failed() const { return failure_->failed(); }

  // Waits for all enqueued work, and ends the thread of completions. No
  // callback is called afterwards. A stage calls it before it frees memory that
  // its work uses. Idempotent.
  void Stop();

 private:
  // The failure of a device. Thread-safe.
  class Failure {
   public:
    explicit Failure(std::function<void(absl::Status)> on_failure)
        : on_failure_(std::move(on_failure)) {}
    void Report(const absl::Status& status);
    bool failed() const { return failed_; }

   private:
    const std::function<void(absl::Status)> on_failure_;
    std::atomic<bool> failed_ = false;
  };

  explicit StageDevice(StageDeviceOptions options);

  const StageDeviceOptions options_;
  DeviceInfo info_;
  // Shared with events that are posted but have not run yet.
  const std::shared_ptr<Failure> failure_;
  std::shared_ptr<void> alive_;
  Stream stream_;
  std::size_t upload_bytes_ = 0;
  DeviceBuffer upload_memory_;  // [kUploads][upload_bytes_]
  int next_upload_ = 0;
  std::unique_ptr<UploadRing> ring_;
  PostEvent post_;
  std::unique_ptr<Completions> completions_;
};

}  // namespace cuda
}  // namespace apollo

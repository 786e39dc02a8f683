#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <memory>
#include <string>

#include "common/rows.h"

namespace apollo {

// A point in the work of a stream. One thread.
class DeviceEvent {
 public:
  virtual ~DeviceEvent() = default;
  // Returns true once all work before the point is done. Never blocks. An error
  // if the device has failed.
  virtual absl::StatusOr<bool> Done() = 0;
};

// Work of a device that runs in order. One thread.
class DeviceStream {
 public:
  virtual ~DeviceStream() = default;
  // The native stream (cudaStream_t).
  virtual void* handle() = 0;
  // Marks the end of the work enqueued so far.
  virtual absl::StatusOr<std::unique_ptr<DeviceEvent>> Record() = 0;
};

// The device whose rows links carry. Thread-safe.
class LinkDevice {
 public:
  virtual ~LinkDevice() = default;
  virtual Device device() const = 0;
  // Identifies the device on its host, whatever process asks.
  virtual std::string id() const = 0;
  // Makes it the calling thread's current device.
  virtual absl::Status Use() = 0;
  virtual absl::StatusOr<std::unique_ptr<DeviceStream>> NewStream() = 0;
  // Returns memory of the device, freed with the last handle, which may outlive
  // this object. RESOURCE_EXHAUSTED if there is not enough.
  virtual absl::StatusOr<std::shared_ptr<std::byte>> Allocate(
      std::size_t bytes) = 0;
  // Returns the same numbers as float32 rows in host memory. Blocks while it
  // copies.
  virtual absl::StatusOr<Rows> ToHost(const Rows& rows) = 0;
};

}  // namespace apollo

#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "common/has_cuda.h"
#include "common/rows.h"

namespace apollo {

// Parses the flag --device: "cpu", or "cuda:N" for the GPU with index N. Does
// not look for the GPU. Returns INVALID_ARGUMENT for other text, and
// FAILED_PRECONDITION for a GPU in a program without CUDA.
absl::StatusOr<Device> ParseDevice(std::string_view text,
                                   bool has_cuda = kHasCuda);

// Returns the text that ParseDevice accepts for the device.
std::string DeviceName(Device device);

inline bool IsGpu(Device device) { return device.kind == Device::Kind::kCuda; }

// Sets the variables of the environment that CUDA reads if the device is a GPU.
// Call it before the process has threads.
void PrepareDevice(Device device);

// Logs device_failed, which names the device and the error, and ends the
// process with exit code 1, so that it is started again: work that was on the
// device is lost, and nothing can be computed any more. Any thread.
[[noreturn]] void EndOnDeviceFailure(Device device, const absl::Status& status);

}  // namespace apollo

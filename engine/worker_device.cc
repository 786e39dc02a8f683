#include "engine/worker_device.h"

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>

#include <algorithm>
#include <cstdlib>

#include "common/log.h"
#include "common/strings.h"

namespace apollo {
namespace {

constexpr char kCpu[] = "cpu";
constexpr char kCuda[] = "cuda:";

// Far more than a machine has.
constexpr int kMostGpus = 1024;

}  // namespace

absl::StatusOr<Device> ParseDevice(std::string_view text, bool has_cuda) {
  if (text == kCpu) return Device();
  absl::string_view digits = ToAbsl(text);
  int index = -1;
  if (!absl::ConsumePrefix(&digits, kCuda) || digits.empty() ||
      !std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(digits, &index) || index >= kMostGpus) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--device is \"", ToAbsl(text),
        "\"; it must be cpu, or cuda:N for a GPU, for example cuda:0"));
  }
  if (!has_cuda) {
    return absl::FailedPreconditionError(
        absl::StrCat("--device is ", ToAbsl(text),
                     ", but this program was built without CUDA; build it with "
                     "bazel build -c opt --config=cuda, or use --device=cpu"));
  }
  return Device{Device::Kind::kCuda, index};
}

std::string DeviceName(Device device) {
  return IsGpu(device) ? absl::StrCat(kCuda, device.index) : kCpu;
}

void PrepareDevice(Device device) {
  if (!IsGpu(device)) return;
  // Otherwise the first call of each kernel would load it, in the middle of a
  // step: that takes long, and waits for the work of all streams.
  setenv("CUDA_MODULE_LOADING", "EAGER", /*overwrite=*/1);
}

void EndOnDeviceFailure(Device device, const absl::Status& status) {
  LogError("device_failed", {{"device", DeviceName(device)},
                             {"reason", std::string(status.message())}});
  // Other threads run, and may wait for the device: nothing is destroyed.
  std::_Exit(1);
}

}  // namespace apollo

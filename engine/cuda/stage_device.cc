#include "engine/cuda/stage_device.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "kernels/cuda/attention.h"
#include "kernels/cuda/product.h"

namespace apollo::cuda {
namespace {

// Page-locked memory: small arrays of some steps come on top of what the stage
// asks for, and the slot that is being filled.
constexpr std::size_t kRingSlotBytes = 256 << 10;
constexpr std::size_t kSmallArrayBytes = 1 << 20;
constexpr std::size_t kUploadBytesPerRow = 256;

int RingSlots(std::size_t host_bytes) {
  return static_cast<int>((host_bytes + kSmallArrayBytes) / kRingSlotBytes) + 2;
}

}  // namespace

void StageDevice::Failure::Report(const absl::Status& status) {
  if (!failed_.exchange(true) && on_failure_) on_failure_(status);
}

StageDevice::StageDevice(StageDeviceOptions options)
    : options_(std::move(options)),
      failure_(std::make_shared<Failure>(options_.on_failure)),
      alive_(std::make_shared<int>()),
      upload_bytes_(kUploadBytesPerRow *
                    static_cast<std::size_t>(options_.max_rows)) {}

std::size_t StageDevice::Bytes(int max_rows) {
  return kUploads * kUploadBytesPerRow * static_cast<std::size_t>(max_rows);
}

absl::StatusOr<std::unique_ptr<StageDevice>> StageDevice::Open(
    StageDeviceOptions options, std::size_t host_bytes) {
  APOLLO_CHECK(options.max_rows > 0);
  std::unique_ptr<StageDevice> device(new StageDevice(std::move(options)));
  ASSIGN_OR_RETURN(device->info_,
                   OpenDevice(device->options_.index, /*bytes_needed=*/0));
  RETURN_IF_ERROR(PrepareProducts());
  RETURN_IF_ERROR(PrepareAttention());
  ASSIGN_OR_RETURN(device->stream_, CreateStream());
  ASSIGN_OR_RETURN(
      device->upload_memory_,
      AllocateDevice(Bytes(device->options_.max_rows), "small arrays"));
  ASSIGN_OR_RETURN(device->ring_,
                   UploadRing::Create(RingSlots(host_bytes), kRingSlotBytes,
                                      device->stream()));
  // Used by the thread of completions, and by events that may run after the
  // device has gone.
  device->completions_ = std::make_unique<Completions>(
      device->info_.index,
      [self = device.get(), alive = std::weak_ptr<void>(device->alive_)](
          absl::AnyInvocable<void()> then) {
        self->post_([alive, failure = self->failure_,
                     then = std::move(then)]() mutable {
          if (!alive.expired() && !failure->failed()) then();
        });
      },
      [failure = device->failure_](const absl::Status& status) {
        failure->Report(status);
      });
  return device;
}

StageDevice::~StageDevice() { Stop(); }

void StageDevice::Stop() {
  alive_.reset();
  if (completions_ == nullptr) return;
  // An error has been reported, or there is nobody left to be told.
  static_cast<void>(cudaStreamSynchronize(stream()));
  completions_.reset();
}

void StageDevice::SetPost(PostEvent post) { post_ = std::move(post); }

void StageDevice::Use() {
  Check(CudaStatus(cudaSetDevice(info_.index), "using the device"));
}

void StageDevice::UploadTo(void* to, const void* data, std::size_t bytes) {
  if (!failed()) Check(ring_->Copy(to, data, bytes));
}

void* StageDevice::Upload(const void* data, std::size_t bytes) {
  APOLLO_CHECK(bytes <= upload_bytes_);
  std::byte* const to = upload_memory_.as<std::byte>() +
                        static_cast<std::size_t>(next_upload_) * upload_bytes_;
  next_upload_ = (next_upload_ + 1) % kUploads;
  UploadTo(to, data, bytes);
  return to;
}

void StageDevice::WhenDone(absl::AnyInvocable<void()> then) {
  APOLLO_CHECK(post_ != nullptr && completions_ != nullptr);
  if (!failed()) Check(completions_->Add(stream(), std::move(then)));
}

bool StageDevice::Check(const absl::Status& status) {
  if (!status.ok()) failure_->Report(status);
  return status.ok();
}

}  // namespace apollo::cuda

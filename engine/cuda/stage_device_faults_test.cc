// A slow and a failing device, emulated.
#include <cstdint>
#include <future>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "engine/cuda/event_queue.h"
#include "engine/cuda/stage_device.h"
#include "engine/cuda/upload_ring.h"
#include "kernels/cuda/emulation/device_state.h"
#include "kernels/cuda/testing.h"

namespace apollo::cuda {
namespace {

using emulation::device_state;

class FaultsTest : public testing::Test {
 protected:
  ~FaultsTest() override {
    device_state.Release();
    device_state.Fail(cudaSuccess);
  }

  std::unique_ptr<StageDevice> Open(std::size_t host_bytes = 0) {
    StageDeviceOptions options;
    options.max_rows = 4;
    options.on_failure = [this](const absl::Status& status) {
      failure_.set_value(status);  // Throws the second time.
    };
    auto device = StageDevice::Open(std::move(options), host_bytes);
    EXPECT_TRUE(device.ok()) << device.status();
    (*device)->SetPost(queue_.post());
    return *std::move(device);
  }

  EventQueue queue_;
  std::promise<absl::Status> failure_;
};

TEST_F(FaultsTest, CallbacksWaitForTheDevice) {
  const auto device = Open();
  device_state.Hold();
  bool called = false;
  device->WhenDone([&] { called = true; });
  EXPECT_TRUE(queue_.empty());
  device_state.Release();
  queue_.RunOne();
  EXPECT_TRUE(called);
}

TEST_F(FaultsTest, CallbacksThatWaitAreDroppedAtTheEnd) {
  auto device = Open();
  device_state.Hold();
  const auto owned = std::make_shared<bool>(false);
  for (int i = 0; i < 3; ++i) {
    device->WhenDone([owned] { *owned = true; });
  }
  device.reset();
  queue_.RunPosted();
  EXPECT_FALSE(*owned);
  EXPECT_EQ(owned.use_count(), 1);  // All of them have been destroyed.
}

TEST_F(FaultsTest, UploadsDoNotWaitForTheDevice) {
  auto ring = *UploadRing::Create(2, 64, nullptr);
  std::vector<Device<std::uint8_t>> places;
  for (int i = 0; i < 5; ++i) places.emplace_back(64);
  device_state.Hold();
  for (std::uint8_t i = 0; i < 5; ++i) {
    const std::vector<std::uint8_t> data(64, i);
    ExpectOk(ring->Copy(places[i].get(), data.data(), 64));
  }
  EXPECT_TRUE(device_state.held());
  EXPECT_EQ(ring->slots(), 5);
  EXPECT_EQ(ring->grown(), 3);
  device_state.Release();
  for (int round = 0; round < 10; ++round) {
    const std::vector<std::uint8_t> data(100, 99);
    const Device<std::uint8_t> place(100);
    ExpectOk(ring->Copy(place.get(), data.data(), 100));
    EXPECT_TRUE(place.Read() == data);
  }
  EXPECT_EQ(ring->slots(), 5);
  for (std::uint8_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(places[i].Read() == std::vector<std::uint8_t>(64, i));
  }
}

TEST_F(FaultsTest, SmallUploadsShareMemory) {
  auto ring = *UploadRing::Create(2, 64, nullptr);
  const Device<std::uint8_t> place(128);
  std::vector<std::uint8_t> data(128);
  std::iota(data.begin(), data.end(), std::uint8_t{0});
  device_state.Hold();
  for (int i = 0; i < 16; ++i) {
    ExpectOk(ring->Copy(place.get() + 8 * i, data.data() + 8 * i, 8));
  }
  EXPECT_EQ(ring->grown(), 0);
  // The device has not even read the first of them.
  const std::uint8_t last = 1;
  ExpectOk(ring->Copy(place.get(), &last, 1));
  EXPECT_EQ(ring->grown(), 1);
  device_state.Release();
  data[0] = last;
  EXPECT_TRUE(place.Read() == data);
}

TEST_F(FaultsTest, WhatStepsBringIsUploadedWithoutAllocations) {
  constexpr std::size_t kHostBytes = 6 << 20;
  const auto device = Open(kHostBytes);
  const std::vector<std::uint8_t> rows(kHostBytes / 4);
  const Device<std::uint8_t> place(rows.size());
  device_state.Hold();
  for (int i = 0; i < 4; ++i) {
    device->UploadTo(place.get(), rows.data(), rows.size());
    device->Upload(&i, sizeof(i));
  }
  EXPECT_EQ(device->grown(), 0);
  for (int i = 0; i < 4; ++i) {
    device->UploadTo(place.get(), rows.data(), rows.size());
  }
  EXPECT_GT(device->grown(), 0);
  EXPECT_TRUE(device_state.held());
  device_state.Release();
}

TEST_F(FaultsTest, AFailureIsReportedOnceAndEndsAllCallbacks) {
  const auto device = Open();
  bool called = false;
  device->WhenDone([&] { called = true; });
  queue_.Wait();  // Posted, but not run before the failure.
  device_state.Hold();
  device->WhenDone([&] { called = true; });
  device_state.Fail(cudaErrorIllegalAddress);
  // By the thread of completions, which waits for the device.
  const absl::Status status = failure_.get_future().get();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  EXPECT_TRUE(device->failed());
  EXPECT_FALSE(device->Check(absl::InternalError("another one")));
  device->Use();
  const std::int32_t number = 1;
  device->Upload(&number, 4);
  device->WhenDone([&] { called = true; });
  EXPECT_EQ(queue_.RunPosted(), 1);
  EXPECT_FALSE(called);
}

TEST_F(FaultsTest, AFailedOperationIsReported) {
  const auto device = Open();
  EXPECT_TRUE(device->Check(absl::OkStatus()));
  EXPECT_FALSE(device->failed());
  EXPECT_FALSE(device->Check(absl::InternalError("no launch")));
  EXPECT_EQ(failure_.get_future().get().message(), "no launch");
}

TEST_F(FaultsTest, ADeviceThatFailsAtOnceIsNotOpened) {
  device_state.Fail(cudaErrorIllegalAddress);
  StageDeviceOptions options;
  options.max_rows = 1;
  EXPECT_EQ(StageDevice::Open(std::move(options), 0).status().code(),
            absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace apollo::cuda

#include "engine/cuda/stage_device.h"

#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "engine/cuda/event_queue.h"
#include "kernels/cuda/testing.h"

namespace apollo::cuda {
namespace {

class StageDeviceTest : public GpuTest {
 protected:
  std::unique_ptr<StageDevice> Open() {
    StageDeviceOptions options;
    options.max_rows = 4;
    options.on_failure = [](const absl::Status& status) {
      ADD_FAILURE() << status;
    };
    auto device = StageDevice::Open(std::move(options), 0);
    EXPECT_TRUE(device.ok()) << device.status();
    (*device)->SetPost(queue_.post());
    return *std::move(device);
  }

  static std::vector<std::int32_t> Count(int from, int count) {
    std::vector<std::int32_t> values(static_cast<std::size_t>(count));
    std::iota(values.begin(), values.end(), from);
    return values;
  }
  static std::vector<std::int32_t> Read(const std::int32_t* from, int count,
                                        StageDevice& device) {
    std::vector<std::int32_t> values(static_cast<std::size_t>(count));
    ExpectOk(
        CopyToHost(values.data(), from, values.size() * 4, device.stream()));
    ExpectOk(CudaStatus(cudaStreamSynchronize(device.stream()), "reading"));
    return values;
  }

  EventQueue queue_;
};

TEST_F(StageDeviceTest, UploadsStayValidForTheirNumber) {
  const auto device = Open();
  std::vector<const std::int32_t*> uploads;
  for (int i = 0; i < StageDevice::kUploads; ++i) {
    std::vector<std::int32_t> values = Count(i, 100);
    uploads.push_back(device->UploadVector(std::span(std::as_const(values))));
    values.assign(100, -1);  // Has been read.
  }
  for (int i = 0; i < StageDevice::kUploads; ++i) {
    EXPECT_EQ(Read(uploads[i], 100, *device), Count(i, 100)) << i;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(uploads[i]) % 256, 0u);
  }
  const std::vector<std::int32_t> next = Count(1000, 100);
  EXPECT_EQ(device->UploadVector(std::span(next)), uploads[0]);
  EXPECT_EQ(Read(uploads[0], 100, *device), next);
  EXPECT_EQ(Read(uploads[1], 100, *device), Count(1, 100));
}

TEST_F(StageDeviceTest, UploadsToAPlaceMayBeLarge) {
  const auto device = Open();
  constexpr int kNumbers = 1 << 21;  // More than the ring holds at once.
  const std::vector<std::int32_t> values = Count(5, kNumbers);
  const Device<std::int32_t> to(kNumbers);
  device->UploadTo(to.get(), values.data(), values.size() * 4);
  EXPECT_TRUE(Read(to.get(), kNumbers, *device) == values);
}

TEST_F(StageDeviceTest, CallbacksComeInOrderAfterTheWork) {
  const auto device = Open();
  const PinnedBuffer pinned = *AllocatePinned(3 * 4, "a test");
  auto* const values = pinned.as<std::int32_t>();
  std::vector<std::int32_t> seen;
  for (int i = 0; i < 3; ++i) {
    const std::int32_t value = 10 + i;
    const void* const there = device->Upload(&value, 4);
    ExpectOk(CopyToHost(&values[i], there, 4, device->stream()));
    device->WhenDone([&, i] { seen.push_back(values[i]); });
  }
  EXPECT_TRUE(seen.empty());  // Only by events.
  for (int i = 0; i < 3; ++i) queue_.RunOne();
  EXPECT_EQ(seen, (std::vector<std::int32_t>{10, 11, 12}));
}

TEST_F(StageDeviceTest, PostedEventsOfAStoppedDeviceDoNothing) {
  auto device = Open();
  bool called = false;
  device->WhenDone([&] { called = true; });
  queue_.Wait();
  device->Stop();
  device->Stop();
  device.reset();
  EXPECT_EQ(queue_.RunPosted(), 1);
  EXPECT_FALSE(called);
}

TEST_F(StageDeviceTest, TheDeviceIsThePlaceOfItsRows) {
  const auto device = Open();
  EXPECT_TRUE(device->device() ==
              (apollo::Device{apollo::Device::Kind::kCuda, 0}));
  EXPECT_GT(device->info().total_bytes, 0u);
  EXPECT_FALSE(device->failed());
}

}  // namespace
}  // namespace apollo::cuda

#include "kernels/cuda/device.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "kernels/cuda/testing.h"

namespace apollo::cuda {
namespace {

class DeviceTest : public GpuTest {};

TEST_F(DeviceTest, ErrorsSayWhatIsMissing) {
  EXPECT_EQ(OpenDevice(1000, 0).status().code(), absl::StatusCode::kNotFound);
  const auto taken = OpenDevice(0, std::size_t{1} << 50).status();
  EXPECT_EQ(taken.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(std::string(taken.message()).find("1125899906 MB"),
            std::string::npos)
      << taken;
}

TEST_F(DeviceTest, PropertiesArePlausible) {
  const auto device = OpenDevice(0, 1);
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_GE(device->major, 8);
  EXPECT_GT(device->multiprocessors, 0);
  EXPECT_GE(device->shared_bytes, std::size_t{99} << 10);
  EXPECT_LE(device->free_bytes, device->total_bytes);
}

TEST_F(DeviceTest, AllocationsThatDoNotFitNameTheirPurposeAndSize) {
  const auto status =
      AllocateDevice(std::size_t{1} << 50, "the cache").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  const std::string message(status.message());
  EXPECT_NE(message.find("the cache"), std::string::npos) << message;
  EXPECT_NE(message.find("1125899906 MB"), std::string::npos) << message;
}

TEST_F(DeviceTest, CopiesThroughPinnedMemoryReturnTheSame) {
  const auto stream = CreateStream();
  const auto there = AllocateDevice(4000, "a test");
  const auto from = AllocatePinned(4000, "a test");
  const auto to = AllocatePinned(4000, "a test");
  ASSERT_TRUE(stream.ok() && there.ok() && from.ok() && to.ok());
  std::iota(from->as<int>(), from->as<int>() + 1000, 5);
  ExpectOk(
      CopyToDevice(there->as<int>(), from->as<int>(), 4000, stream->get()));
  ExpectOk(CopyToHost(to->as<int>(), there->as<int>(), 4000, stream->get()));
  ExpectOk(CudaStatus(cudaStreamSynchronize(stream->get()), "copying"));
  EXPECT_TRUE(
      std::equal(from->as<int>(), from->as<int>() + 1000, to->as<int>()));
}

TEST_F(DeviceTest, EmptyBuffersAreNull) {
  EXPECT_EQ(AllocateDevice(0, "nothing")->as<int>(), nullptr);
  EXPECT_EQ(AllocatePinned(0, "nothing")->as<int>(), nullptr);
  EXPECT_EQ(DeviceBuffer().bytes(), 0u);
}

}  // namespace
}  // namespace apollo::cuda

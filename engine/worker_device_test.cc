#include "engine/worker_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace apollo {
namespace {

using testing::HasSubstr;

constexpr Device kGpu = {Device::Kind::kCuda, 12};

TEST(WorkerDeviceTest, DevicesHaveNames) {
  for (const bool has_cuda : {false, true}) {
    const auto cpu = ParseDevice("cpu", has_cuda);
    ASSERT_TRUE(cpu.ok()) << cpu.status();
    EXPECT_EQ(*cpu, Device());
    EXPECT_FALSE(IsGpu(*cpu));
    EXPECT_EQ(DeviceName(*cpu), "cpu");
  }
  const auto gpu = ParseDevice("cuda:12", /*has_cuda=*/true);
  ASSERT_TRUE(gpu.ok()) << gpu.status();
  EXPECT_EQ(*gpu, kGpu);
  EXPECT_TRUE(IsGpu(*gpu));
  EXPECT_EQ(DeviceName(*gpu), "cuda:12");
}

TEST(WorkerDeviceTest, OtherTextIsRefusedWithTheFlagAndWhatIsRight) {
  for (const char* wrong : {"", "gpu", "cuda", "cuda:", "cuda:-1", "cuda:+1",
                            "cuda: 1", "cuda:1x", "cuda:99999999999", "CPU"}) {
    for (const bool has_cuda : {false, true}) {
      const absl::Status status = ParseDevice(wrong, has_cuda).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << wrong;
      EXPECT_THAT(std::string(status.message()),
                  HasSubstr("--device is \"" + std::string(wrong) + "\""));
    }
  }
}

TEST(WorkerDeviceTest, AGpuNeedsABuildWithCuda) {
  const absl::Status status = ParseDevice("cuda:0", false).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--device is cuda:0"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("--config=cuda"));
  EXPECT_EQ(ParseDevice("cuda:0").ok(), kHasCuda);
}

TEST(WorkerDeviceTest, OnlyAGpuSetsTheEnvironmentOfCuda) {
  unsetenv("CUDA_MODULE_LOADING");
  PrepareDevice(Device());
  EXPECT_EQ(std::getenv("CUDA_MODULE_LOADING"), nullptr);
  setenv("CUDA_MODULE_LOADING", "LAZY", 1);
  PrepareDevice(kGpu);
  EXPECT_STREQ(std::getenv("CUDA_MODULE_LOADING"), "EAGER");
}

TEST(WorkerDeviceDeathTest, AFailureEndsTheProcessWithALine) {
  EXPECT_EXIT(EndOnDeviceFailure(kGpu, absl::InternalError("no more memory")),
              testing::ExitedWithCode(1),
              "device_failed.*cuda:12.*no more memory");
}

}  // namespace
}  // namespace apollo

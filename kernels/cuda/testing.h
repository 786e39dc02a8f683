#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string_view>
#include <vector>

#include "kernels/cuda/device.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/types.h"
#include "kernels/half.h"

// Helpers of the tests of the GPU's operations. The same tests run on a GPU
// (--config=cuda), and without one on the emulation of thread blocks.
namespace apollo::cuda {

inline void ExpectOk(const absl::Status& status) {
  EXPECT_TRUE(status.ok()) << status;
}

// An array in device memory.
template <typename T>
class Device {
 public:
  Device() = default;
  // Filled with bytes of 0xff: NaN, or -1.
  explicit Device(std::size_t size)
      : buffer_(*AllocateDevice(size * sizeof(T), "a test")), size_(size) {
    ExpectOk(CudaStatus(
        cudaMemsetAsync(buffer_.as<T>(), 0xff, size * sizeof(T), nullptr),
        "filling"));
    // Other streams do not wait for the default one.
    ExpectOk(CudaStatus(cudaStreamSynchronize(nullptr), "filling"));
  }
  explicit Device(const std::vector<T>& values) : Device(values.size()) {
    ExpectOk(CopyToDevice(buffer_.template as<T>(), values.data(),
                          size_ * sizeof(T), nullptr));
    ExpectOk(CudaStatus(cudaStreamSynchronize(nullptr), "copying"));
  }

  T* get() const { return buffer_.template as<T>(); }
  std::size_t size() const { return size_; }
  // Waits for the default stream and returns the values.
  std::vector<T> Read() const {
    std::vector<T> values(size_);
    ExpectOk(CopyToHost(values.data(), get(), size_ * sizeof(T), nullptr));
    ExpectOk(CudaStatus(cudaStreamSynchronize(nullptr), "the kernels"));
    return values;
  }

 private:
  DeviceBuffer buffer_;
  std::size_t size_ = 0;
};

// A test that needs a GPU, or its emulation. Without one it is skipped, or
// fails if REQUIRE_GPU=1.
class GpuTest : public testing::Test {
 protected:
  void SetUp() override {
    const absl::StatusOr<DeviceInfo> device = OpenDevice(0, 0);
    if (device.ok()) return;
    const char* const required = std::getenv("REQUIRE_GPU");
    if (required != nullptr && std::string_view(required) == "1") {
      FAIL() << device.status();
    }
    std::cerr << "SKIPPED, NOT TESTED: " << device.status() << "\n";
    GTEST_SKIP() << device.status();
  }

  std::vector<float> Random(std::size_t size, float deviation = 1) {
    std::normal_distribution<float> normal(0, deviation);
    std::vector<float> x(size);
    for (float& value : x) value = normal(random_);
    return x;
  }
  std::vector<Bf16> RandomBf16(std::size_t size, float deviation = 1) {
    std::vector<Bf16> bits;
    for (const float value : Random(size, deviation)) {
      bits.push_back(Bf16BitsFromF32(value));
    }
    return bits;
  }

  std::mt19937 random_{20240817};
};

inline std::vector<float> Widened(const std::vector<Bf16>& bits) {
  std::vector<float> x;
  for (const Bf16 b : bits) x.push_back(F32FromBf16Bits(b));
  return x;
}

// Expects every number within `absolute` + `relative` * |expected|. Outputs
// that were not written are NaN, and fail.
inline void ExpectNear(const std::vector<float>& actual,
                       const std::vector<float>& expected, double absolute,
                       double relative) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double bound = absolute + relative * std::abs(expected[i]);
    ASSERT_TRUE(std::abs(static_cast<double>(actual[i]) - expected[i]) <= bound)
        << "number " << i << ": " << actual[i] << " instead of " << expected[i];
  }
}

}  // namespace apollo::cuda

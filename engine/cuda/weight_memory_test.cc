#include "engine/cuda/weight_memory.h"

#include <cstdint>
#include <optional>

#include "kernels/cuda/testing.h"

namespace apollo::cuda {
namespace {

class WeightMemoryTest : public GpuTest {};

TEST_F(WeightMemoryTest, PartsFollowEachOtherInOneBlock) {
  WeightMemory memory(1024);
  const WeightPart first = *memory.Take(300, "a test");
  const WeightPart second = *memory.Take(256, "a test");
  const WeightPart third = *memory.Take(1, "a test");
  EXPECT_EQ(first.bytes(), 300u);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first.as<void>()) % 256, 0u);
  EXPECT_EQ(second.as<std::byte>(), first.as<std::byte>() + 512);
  EXPECT_EQ(third.as<std::byte>(), first.as<std::byte>() + 768);
}

TEST_F(WeightMemoryTest, WhatDoesNotFitGetsABlockOfItsOwn) {
  WeightMemory memory(512);
  const WeightPart first = *memory.Take(256, "a test");
  const WeightPart large = *memory.Take(257, "a test");
  const WeightPart second = *memory.Take(256, "a test");
  EXPECT_EQ(second.as<std::byte>(), first.as<std::byte>() + 256);
  EXPECT_NE(large.as<void>(), nullptr);
  EXPECT_EQ(memory.Take(std::size_t{1} << 44, "a test").status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_F(WeightMemoryTest, PartsOutliveTheMemoryAndEachOther) {
  std::optional<WeightMemory> memory(512);
  std::optional<WeightPart> first = *memory->Take(256, "a test");
  const WeightPart second = *memory->Take(256, "a test");
  first.reset();
  memory.reset();
  ExpectOk(CudaStatus(cudaMemsetAsync(second.as<void>(), 0, 256, nullptr),
                      "writing"));
  ExpectOk(CudaStatus(cudaStreamSynchronize(nullptr), "writing"));
}

TEST_F(WeightMemoryTest, NoBytesNeedNoMemory) {
  WeightMemory memory(0);
  EXPECT_EQ(memory.Take(0, "a test")->bytes(), 0u);
}

}  // namespace
}  // namespace apollo::cuda

#include "engine/cuda/device_rows.h"

#include <optional>
#include <thread>
#include <utility>

#include "kernels/cuda/testing.h"

namespace apollo::cuda {
namespace {

constexpr apollo::Device kDevice = {apollo::Device::Kind::kCuda, 0};

class RowPoolTest : public GpuTest {};

TEST_F(RowPoolTest, RowsHaveTheirShapeAndPlace) {
  RowPool pool = *RowPool::Create(kDevice, 1024, 1);
  const Rows rows = *pool.Take(4, 64, RowType::kBf16);
  EXPECT_EQ(rows.rows(), 4);
  EXPECT_EQ(rows.width(), 64);
  EXPECT_EQ(rows.type(), RowType::kBf16);
  EXPECT_TRUE(rows.device() == kDevice);
  EXPECT_NE(rows.data(), nullptr);
}

TEST_F(RowPoolTest, BlocksReturnWithTheLastHandle) {
  RowPool pool = *RowPool::Create(kDevice, 1024, 1);
  Rows rows = *pool.Take(4, 64, RowType::kF32);
  const void* const block = rows.data();
  std::optional<Rows> part = rows.Slice(2, 1);
  rows = Rows();
  EXPECT_NE(pool.Take(1, 8, RowType::kF32)->data(), block);  // Still in use.
  EXPECT_EQ(pool.grown(), 1);
  std::thread([&part] { part.reset(); }).join();
  const Rows first = *pool.Take(1, 8, RowType::kF32);
  const Rows second = *pool.Take(1, 8, RowType::kF32);
  EXPECT_TRUE(first.data() == block || second.data() == block);
  EXPECT_EQ(pool.grown(), 1);
}

TEST_F(RowPoolTest, LargerRowsGetLargerBlocksOnce) {
  RowPool pool = *RowPool::Create(kDevice, 1024, 2);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(pool.Take(100, 64, RowType::kF32).ok());
  }
  EXPECT_EQ(pool.grown(), 1);
  // Small rows leave it to large ones.
  const Rows small = *pool.Take(1, 8, RowType::kF32);
  EXPECT_TRUE(pool.Take(100, 64, RowType::kF32).ok());
  EXPECT_EQ(pool.grown(), 1);
}

TEST_F(RowPoolTest, BlocksOfAnotherSizeAreUsedForRowsThatNeedThem) {
  RowPool pool = *RowPool::Create(kDevice, 1024, 1);
  ExpectOk(pool.Add(4096, 1));
  const Rows small = *pool.Take(4, 64, RowType::kF32);
  const Rows large = *pool.Take(16, 64, RowType::kF32);
  EXPECT_EQ(pool.grown(), 0);
}

TEST_F(RowPoolTest, HandlesOutliveThePool) {
  std::optional<RowPool> pool = *RowPool::Create(kDevice, 1024, 1);
  const Rows rows = *pool->Take(1, 64, RowType::kF32);
  pool.reset();
  ExpectOk(CudaStatus(
      cudaMemsetAsync(const_cast<void*>(rows.data()), 0, rows.bytes(), nullptr),
      "writing"));
}

TEST_F(RowPoolTest, NoRoomIsAnError) {
  RowPool pool = *RowPool::Create(kDevice, 1024, 1);
  EXPECT_EQ(pool.Take(1 << 30, 1 << 10, RowType::kF32).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(pool.Take(1, 8, RowType::kF32).ok());
}

}  // namespace
}  // namespace apollo::cuda

#include "engine/cuda/device_cache.h"

#include <map>
#include <string>

#include "engine/cuda/random_model.h"
#include "kernels/cuda/testing.h"

namespace apollo::cuda {
namespace {

CacheOptions Bf16Cache(std::int64_t bytes) {
  CacheOptions options;
  options.bytes = bytes;
  options.type = CacheType::kBf16;
  return options;
}

class DeviceCacheTest : public GpuTest {
 protected:
  const ModelConfig config_ = RandomModelConfig();
  // 16 tokens of one kv head of 32 numbers, for keys and for values; and of 64
  // numbers in the log.
  static constexpr std::size_t kLayerBytes = 2 * 16 * 32 * 2;
  static constexpr std::size_t kLogBytes = 16 * 64 * 2;
};

TEST_F(DeviceCacheTest, TheSizeAllowsWholeBlocks) {
  const std::size_t block = 3 * kLayerBytes + kLogBytes;
  const auto size =
      DeviceCache::SizeFor(config_, 3, true, Bf16Cache(5 * block - 1));
  ASSERT_TRUE(size.ok()) << size.status();
  EXPECT_EQ(size->blocks, 4);
  EXPECT_EQ(size->bytes, 4 * block);
  EXPECT_EQ(DeviceCache::SizeFor(config_, 3, false, Bf16Cache(6 * kLayerBytes))
                ->blocks,
            2);
  EXPECT_EQ(DeviceCache::SizeFor(config_, 3, true, Bf16Cache(block - 1))
                .status()
                .code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_F(DeviceCacheTest, OtherTypesThanBf16AreRefused) {
  for (const CacheType type : {CacheType::kFloat32, CacheType::kF16}) {
    CacheOptions options = Bf16Cache(1 << 20);
    options.type = type;
    const auto size = DeviceCache::SizeFor(config_, 1, true, options);
    EXPECT_EQ(size.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(size.status().message().find("--cache_dtype=bf16"),
              std::string::npos);
  }
}

// Every part of every block has its own bytes, and together they are all.
TEST_F(DeviceCacheTest, PartsDoNotOverlap) {
  for (const int layers : {0, 3}) {
    const auto size =
        DeviceCache::SizeFor(config_, layers, true, Bf16Cache(100'000));
    ASSERT_TRUE(size.ok()) << size.status();
    const auto cache = DeviceCache::Create(config_, layers, true, *size);
    ASSERT_TRUE(cache.ok()) << cache.status();
    EXPECT_EQ((*cache)->pool().total(), size->blocks);
    std::map<Bf16*, std::size_t> parts;  // Numbers.
    const std::size_t block_numbers = HeadShapeOf(config_).block_numbers();
    for (int b = 0; b < size->blocks; ++b) {
      for (int l = 0; l < layers; ++l) {
        const CacheLayer layer = (*cache)->layer(l);
        EXPECT_EQ(layer.stride % 8, 0u);
        parts[layer.keys + b * layer.stride] = block_numbers;
        parts[layer.values + b * layer.stride] = block_numbers;
      }
      parts[(*cache)->log() + b * 16 * 64] = 16 * 64;
    }
    EXPECT_EQ(parts.size(), size->blocks * (2u * layers + 1));
    Bf16* next = parts.begin()->first;
    for (const auto& [first, numbers] : parts) {
      EXPECT_EQ(first, next);
      next = first + numbers;
    }
    EXPECT_EQ((next - parts.begin()->first) * sizeof(Bf16), size->bytes);
  }
}

TEST_F(DeviceCacheTest, AnExpertStageHasNoLog) {
  const auto size = DeviceCache::SizeFor(config_, 1, false, Bf16Cache(10'000));
  ASSERT_TRUE(size.ok()) << size.status();
  const auto cache = DeviceCache::Create(config_, 1, false, *size);
  ASSERT_TRUE(cache.ok()) << cache.status();
  EXPECT_EQ((*cache)->log(), nullptr);
}

}  // namespace
}  // namespace apollo::cuda

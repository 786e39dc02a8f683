#include "engine/cache_options.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>

namespace apollo {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(CacheOptionsTest, CacheBytesNeitherVanishNorOverflow) {
  EXPECT_EQ(*CacheBytes(1), 1 << 20);
  EXPECT_EQ(*CacheBytes(std::int64_t{1} << 30), std::int64_t{1} << 50);
  for (const std::int64_t wrong :
       {std::int64_t{0}, std::int64_t{-1}, (std::int64_t{1} << 30) + 1,
        INT64_MAX, INT64_MIN}) {
    EXPECT_EQ(CacheBytes(wrong).status().code(), kInvalid) << wrong;
  }
}

TEST(CacheOptionsTest, CacheOptionsNameTheFlagThatIsWrong) {
  const auto type_of = [](const char* dtype,
                          std::optional<WeightFormat> weights) {
    return ParseCacheOptions(2, dtype, weights)->type;
  };
  EXPECT_EQ(type_of("float32", WeightFormat::kInt8), CacheType::kFloat32);
  EXPECT_EQ(type_of("bf16", std::nullopt), CacheType::kBf16);
  EXPECT_EQ(type_of("f16", std::nullopt), CacheType::kF16);
  EXPECT_EQ(type_of("auto", std::nullopt), CacheType::kFloat32);
  EXPECT_EQ(type_of("auto", WeightFormat::kF32), CacheType::kFloat32);
  for (const WeightFormatInfo& rounded : kWeightFormats) {
    if (rounded.format == WeightFormat::kF32) continue;
    EXPECT_EQ(type_of("auto", rounded.format), CacheType::kF16);
  }
  EXPECT_EQ(ParseCacheOptions(2, "float32", std::nullopt)->bytes, 2 << 20);
  for (const char* wrong : {"", "fp16", "BF16"}) {
    const absl::Status status =
        ParseCacheOptions(2, wrong, std::nullopt).status();
    EXPECT_EQ(status.code(), kInvalid);
    EXPECT_NE(std::string(status.message()).find("--cache_dtype"),
              std::string::npos);
  }
  EXPECT_EQ(ParseCacheOptions(0, "bf16", std::nullopt).status().code(),
            kInvalid);
}

TEST(CacheOptionsTest, ACacheBeyondTheFreeMemoryIsRefusedWithBothNumbers) {
  constexpr std::int64_t kMb = 1 << 20;
  EXPECT_TRUE(CheckCacheFits(100 * kMb, 100 * kMb).ok());
  EXPECT_TRUE(CheckCacheFits(100 * kMb, std::nullopt).ok());
  const absl::Status status = CheckCacheFits(4096 * kMb, 100 * kMb);
  EXPECT_EQ(status.code(), kInvalid);
  EXPECT_EQ(status.message(),
            "--cache_megabytes is 4096, but only 100 MB of memory are free; it "
            "must be less, since the weights need memory, too");
}

TEST(CacheOptionsTest, AGpuCachesInBf16) {
  const Device gpu = {Device::Kind::kCuda, 1};
  for (const char* right : {"auto", "bf16"}) {
    for (const WeightFormat weights :
         {WeightFormat::kBF16, WeightFormat::kInt8}) {
      const auto options = ParseCacheOptions(2, right, weights, gpu);
      ASSERT_TRUE(options.ok()) << options.status();
      EXPECT_EQ(options->type, CacheType::kBf16);
    }
  }
  for (const std::string wrong : {"float32", "f16"}) {
    const absl::Status status =
        ParseCacheOptions(2, wrong, WeightFormat::kInt8, gpu).status();
    EXPECT_EQ(status.code(), kInvalid);
    EXPECT_EQ(std::string(status.message()),
              "--cache_dtype is " + wrong +
                  "; with --device=cuda:1 it must be auto or bf16");
  }
}

}  // namespace
}  // namespace apollo

#include "engine/loading.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>

namespace apollo {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(LoadingTest, ExpertsAreAllOrAList) {
  EXPECT_EQ(*ParseExperts("all", 3), (std::set<int>{0, 1, 2}));
  EXPECT_EQ(*ParseExperts("2,0", 3), (std::set<int>{0, 2}));
  for (const char* wrong : {"", ",", "3", "-1", "0,x", "1,", "0 1", "99999999999"}) {
    EXPECT_EQ(ParseExperts(wrong, 3).status().code(), kInvalid) << wrong;
  }
}

TEST(LoadingTest, ThreadsAreAtMostThoseOfTheMachine) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  EXPECT_EQ(*ThreadCount(0), cores);
  EXPECT_EQ(*ThreadCount(1), 1);
  EXPECT_EQ(*ThreadCount(cores), cores);
  EXPECT_EQ(ThreadCount(-1).status().code(), kInvalid);
  EXPECT_EQ(ThreadCount(cores + 1).status().code(), kInvalid);
}

TEST(LoadingTest, CacheBytesNeitherVanishNorOverflow) {
  EXPECT_EQ(*CacheBytes(1), 1 << 20);
  EXPECT_EQ(*CacheBytes(std::int64_t{1} << 30), std::int64_t{1} << 50);
  for (const std::int64_t wrong :
       {std::int64_t{0}, std::int64_t{-1}, (std::int64_t{1} << 30) + 1,
        INT64_MAX, INT64_MIN}) {
    EXPECT_EQ(CacheBytes(wrong).status().code(), kInvalid) << wrong;
  }
}

TEST(LoadingTest, CacheOptionsNameTheFlagThatIsWrong) {
  EXPECT_EQ(ParseCacheOptions(2, "float32")->type, CacheType::kFloat32);
  EXPECT_EQ(ParseCacheOptions(2, "float32")->bytes, 2 << 20);
  EXPECT_EQ(ParseCacheOptions(2, "bf16")->type, CacheType::kBf16);
  for (const char* wrong : {"", "f16", "BF16"}) {
    const absl::Status status = ParseCacheOptions(2, wrong).status();
    EXPECT_EQ(status.code(), kInvalid);
    EXPECT_NE(std::string(status.message()).find("--cache_dtype"),
              std::string::npos);
  }
  EXPECT_EQ(ParseCacheOptions(0, "bf16").status().code(), kInvalid);
}

}  // namespace
}  // namespace apollo

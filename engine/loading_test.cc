#include "engine/loading.h"

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <thread>

namespace apollo {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(LoadingTest, ExpertsAreAllOrAList) {
  EXPECT_EQ(*ParseExperts("all", 3), (std::set<int>{0, 1, 2}));
  EXPECT_EQ(*ParseExperts("2,0", 3), (std::set<int>{0, 2}));
  for (const char* wrong :
       {"", ",", "3", "-1", "0,x", "1,", "0 1", "99999999999"}) {
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
  const auto type_of = [](const char* dtype,
                          std::optional<WeightFormat> weights) {
    return ParseCacheOptions(2, dtype, weights)->type;
  };
  EXPECT_EQ(type_of("float32", WeightFormat::kInt8), CacheType::kFloat32);
  EXPECT_EQ(type_of("bf16", std::nullopt), CacheType::kBf16);
  EXPECT_EQ(type_of("f16", std::nullopt), CacheType::kF16);
  EXPECT_EQ(type_of("auto", std::nullopt), CacheType::kFloat32);
  EXPECT_EQ(type_of("auto", WeightFormat::kF32), CacheType::kFloat32);
  for (const WeightFormat rounded :
       {WeightFormat::kBF16, WeightFormat::kInt8, WeightFormat::kInt4}) {
    EXPECT_EQ(type_of("auto", rounded), CacheType::kF16);
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

TEST(LoadingTest, WeightsAreOneOfTheFormats) {
  EXPECT_EQ(*ParseWeights("auto"), std::nullopt);
  EXPECT_EQ(*ParseWeights("float32"), WeightFormat::kF32);
  EXPECT_EQ(*ParseWeights("bf16"), WeightFormat::kBF16);
  EXPECT_EQ(*ParseWeights("int8"), WeightFormat::kInt8);
  EXPECT_EQ(*ParseWeights("int4"), WeightFormat::kInt4);
  for (const char* wrong : {"", "int5", "INT8", "f32"}) {
    const absl::Status status = ParseWeights(wrong).status();
    EXPECT_EQ(status.code(), kInvalid) << wrong;
    const std::string message(status.message());
    EXPECT_NE(message.find("--weights"), std::string::npos) << message;
    EXPECT_NE(message.find("int4"), std::string::npos) << message;
  }
}

TEST(LoadingTest, WorkersWithOtherWeightsHaveAnotherHash) {
  const std::string directory = "tests/golden/published";
  const auto plain = OpenModelDirectory(directory);
  ASSERT_TRUE(plain.ok()) << plain.status();
  const auto hash = [&directory](WeightFormat format) {
    return OpenModelDirectory(directory, format)->hash;
  };
  EXPECT_EQ(hash(WeightFormat::kInt8), plain->hash + "+int8");
  EXPECT_EQ(hash(WeightFormat::kInt4), plain->hash + "+int4");
  EXPECT_EQ(hash(WeightFormat::kBF16), plain->hash + "+bf16");
  EXPECT_EQ(hash(WeightFormat::kF32), plain->hash + "+float32");
}

TEST(FlagTest, BoundsNameTheFlagAndItsValue) {
  EXPECT_TRUE(CheckAtLeastOne("rows", 1).ok());
  EXPECT_EQ(CheckAtLeastOne("rows", 0).message(),
            "--rows is 0; it must be at least 1");
  EXPECT_TRUE(CheckFromTo("rows", 1, 1, 8).ok());
  EXPECT_TRUE(CheckFromTo("rows", 8, 1, 8).ok());
  for (const int rows : {0, 9}) {
    EXPECT_EQ(CheckFromTo("rows", rows, 1, 8).message(),
              absl::StrCat("--rows is ", rows, "; it must be from 1 to 8"));
  }
  EXPECT_TRUE(CheckAboveZero("wait", absl::Milliseconds(1)).ok());
  EXPECT_EQ(CheckAboveZero("wait", absl::Seconds(-2)).message(),
            "--wait is -2s; it must be more than 0, for example 10s");
}

}  // namespace
}  // namespace apollo

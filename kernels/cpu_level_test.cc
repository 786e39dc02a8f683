#include "kernels/cpu_level.h"

#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <cstdlib>
#include <string>

namespace apollo {
namespace {

class CpuLevelTest : public testing::Test {
 protected:
  ~CpuLevelTest() override {
    unsetenv("APOLLO_CPU_LEVEL");
    UseCpuLevel(BestCpuLevel());
  }
};

TEST_F(CpuLevelTest, EveryLevelUpToTheBestCanBeForced) {
  int forced = 0;
  for (const CpuLevel level : kCpuLevels) {
    const auto parsed = ParseCpuLevel(CpuLevelName(level));
    ASSERT_EQ(parsed.ok(), level <= BestCpuLevel()) << CpuLevelName(level);
    if (!parsed.ok()) {
      const std::string message(parsed.status().message());
      EXPECT_NE(message.find(CpuLevelName(level)), std::string::npos);
      EXPECT_NE(message.find("not supported"), std::string::npos) << message;
      EXPECT_NE(message.find(CpuLevelName(BestCpuLevel())), std::string::npos);
      continue;
    }
    EXPECT_EQ(*parsed, level);
    setenv("APOLLO_CPU_LEVEL", CpuLevelName(level), 1);
    ASSERT_TRUE(UseCpuLevelOfEnvironment().ok());
    EXPECT_EQ(CurrentCpuLevel(), level);
    ++forced;
  }
  EXPECT_GT(forced, 0);
}

TEST_F(CpuLevelTest, ALevelRestrictsHighwayToo) {
#if HWY_ARCH_X86_64
  UseCpuLevel(CpuLevel::kGeneric);
  EXPECT_EQ(hwy::SupportedTargets() & (HWY_AVX2 | HWY_AVX3 | HWY_SSE4), 0);
  if (BestCpuLevel() < CpuLevel::kAvx2) GTEST_SKIP() << "needs AVX2";
  UseCpuLevel(CpuLevel::kAvx2);
  EXPECT_NE(hwy::SupportedTargets() & HWY_AVX2, 0);
  EXPECT_EQ(hwy::SupportedTargets() & HWY_AVX3, 0);
#endif
}

TEST_F(CpuLevelTest, AnUnknownLevelIsRefusedWithAllThatThereAre) {
  setenv("APOLLO_CPU_LEVEL", "avx1024", 1);
  const absl::Status status = UseCpuLevelOfEnvironment();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const std::string message(status.message());
  EXPECT_NE(message.find("APOLLO_CPU_LEVEL"), std::string::npos) << message;
  EXPECT_NE(message.find("avx1024"), std::string::npos) << message;
  EXPECT_NE(message.find("avx512_bf16"), std::string::npos) << message;
  EXPECT_EQ(CurrentCpuLevel(), BestCpuLevel());
}

TEST_F(CpuLevelTest, WithoutTheVariableTheBestIsUsed) {
  EXPECT_TRUE(UseCpuLevelOfEnvironment().ok());
  setenv("APOLLO_CPU_LEVEL", "", 1);
  EXPECT_TRUE(UseCpuLevelOfEnvironment().ok());
  EXPECT_EQ(CurrentCpuLevel(), BestCpuLevel());
}

}  // namespace
}  // namespace apollo

#include "engine/make_stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/has_cuda.h"

namespace apollo {
namespace {

using testing::HasSubstr;

WorkerFlags Flags(const std::string& weights) {
  WorkerFlags flags;
  flags.model.model = "tests/golden/published";
  flags.model.cache_megabytes = 1;
  flags.model.weights = weights;
  flags.threads = 1;
  return flags;
}

TEST(MakeStageTest, StagesOnTheCpuHaveItsNumerics) {
  const auto setup = OpenWorkerSetup(Flags("int8"), /*families_file=*/"");
  ASSERT_TRUE(setup.ok()) << setup.status();
  ThreadPool pool(1);
  const auto dense = MakeDenseStage(**setup, /*max_rows=*/8, pool);
  ASSERT_TRUE(dense.ok()) << dense.status();
  EXPECT_EQ(dense->numerics, "cpu/int8/f16/1");
  EXPECT_GT(dense->stage->blocks().total(), 0);
  const auto expert = MakeExpertStage(**setup, {1, 3}, /*max_rows=*/8, pool);
  ASSERT_TRUE(expert.ok()) << expert.status();
  EXPECT_EQ(expert->numerics, dense->numerics);
  EXPECT_EQ(expert->stage->experts(), (LayerExperts{1, 3}));
}

TEST(MakeStageTest, AGpuNeedsABuildWithCuda) {
  if (kHasCuda) GTEST_SKIP() << "this build has CUDA";
  WorkerFlags flags = Flags("bf16");
  flags.model.device = {Device::Kind::kCuda, 0};
  const auto setup = OpenWorkerSetup(flags, /*families_file=*/"");
  ASSERT_TRUE(setup.ok()) << setup.status();
  ThreadPool pool(1);
  for (const absl::Status& status :
       {MakeDenseStage(**setup, 8, pool).status(),
        MakeExpertStage(**setup, {0}, 8, pool).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), HasSubstr("--config=cuda"));
  }
}

}  // namespace
}  // namespace apollo

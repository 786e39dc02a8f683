// Loading of an expert stage on a GPU.
#include "engine/cuda/expert_stage_testing.h"

namespace apollo {
namespace {

class CudaExpertLoadTest : public CudaExpertStageTest {
 protected:
  absl::Status StatusOf(const std::set<int>& experts,
                        const CacheOptions& cache = {kTestCacheBytes,
                                                     CacheType::kBf16}) {
    StageDeviceOptions options;
    options.max_rows = 16;
    return CudaExpertStage::Load(config_, *weights_, experts, cache, pool_,
                                 std::move(options), nullptr)
        .status();
  }
  static void ExpectError(const absl::Status& status, absl::StatusCode code,
                          std::string_view part) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_NE(status.message().find(std::string(part)), std::string::npos)
        << status;
  }
};

TEST_F(CudaExpertLoadTest, ProgressReachesTheSizeOfTheExpertsAskedFor) {
  std::int64_t done = 0, total = 0;
  StageDeviceOptions options;
  options.max_rows = 1;
  const auto stage = CudaExpertStage::Load(
      config_, *weights_, {1, 3}, {kTestCacheBytes, CacheType::kBf16}, pool_,
      std::move(options),
      [&](std::int64_t d, std::int64_t t) { done = d, total = t; });
  ASSERT_TRUE(stage.ok()) << stage.status();
  EXPECT_EQ((*stage)->experts(), (LayerExperts{1, 3}));
  EXPECT_EQ(done, CpuExpertStage::WeightBytes(config_, *weights_, {1, 3}));
  EXPECT_EQ(total, done);
  EXPECT_GT((*stage)->blocks().total(), 0);
}

TEST_F(CudaExpertLoadTest, WhatCannotBeLoadedIsNamed) {
  ExpectError(StatusOf({7}), absl::StatusCode::kInvalidArgument, "expert 7");
  ExpectError(StatusOf({0}, {100, CacheType::kBf16}),
              absl::StatusCode::kResourceExhausted, "100");
  ExpectError(StatusOf({0}, {kTestCacheBytes, CacheType::kFloat32}),
              absl::StatusCode::kInvalidArgument, "bf16");
  // More than any GPU has.
  ExpectError(StatusOf({0}, {std::int64_t{1} << 43, CacheType::kBf16}),
              absl::StatusCode::kResourceExhausted, "the weights");
}

TEST_F(CudaExpertLoadTest, ADenseModelHasItsLastLayer) {
  UseModel(DenseModelConfig());
  ExpectError(StatusOf({0}), absl::StatusCode::kInvalidArgument,
              "expert 0 does not exist; this model has no experts");
  std::int64_t done = 0, total = 0;
  StageDeviceOptions options;
  options.max_rows = 1;
  const auto stage = CudaExpertStage::Load(
      config_, *weights_, {}, {kTestCacheBytes, CacheType::kBf16}, pool_,
      std::move(options),
      [&](std::int64_t d, std::int64_t t) { done = d, total = t; });
  ASSERT_TRUE(stage.ok()) << stage.status();
  EXPECT_EQ(done, CpuExpertStage::WeightBytes(config_, *weights_, {}));
  EXPECT_EQ(total, done);
}

TEST_F(CudaExpertLoadTest, ShapesOfHeadsThatGpusCannotUseAreRefused) {
  ModelConfig config = RandomModelConfig();
  config.head_size = 48;
  UseModel(config);
  ExpectError(StatusOf({0}), absl::StatusCode::kInvalidArgument,
              "head_size is 48; on GPUs it must be 32, 64, 96 or 128");
}

TEST_F(CudaExpertLoadTest, FormatsOfOtherDevicesAreRefused) {
  UseModel(config_, WeightFormat::kF32);
  ExpectError(StatusOf({0}), absl::StatusCode::kInvalidArgument, "bf16");
}

TEST_F(CudaExpertLoadTest, ShapesThatGpusCannotUseAreRefused) {
  ModelConfig config = RandomModelConfig();
  config.moe_intermediate_size = 40;
  UseModel(config);
  ExpectError(StatusOf({0}), absl::StatusCode::kInvalidArgument, "40");
  config = RandomModelConfig();
  config.num_experts = 40;
  config.experts_per_token = 33;
  UseModel(config);
  ExpectError(StatusOf({0}), absl::StatusCode::kInvalidArgument, "33");
}

}  // namespace
}  // namespace apollo

// A dense stage on a slow and on a failing device, emulated.
#include <future>
#include <memory>

#include "engine/cuda/dense_stage_testing.h"
#include "engine/cuda/random_model.h"
#include "kernels/cuda/emulation/device_state.h"

namespace apollo {
namespace {

using cuda::emulation::device_state;

class CudaDenseStageFaultsTest : public testing::Test {
 protected:
  ~CudaDenseStageFaultsTest() override {
    device_state.Release();
    device_state.Fail(cudaSuccess);
  }
  const ModelConfig config_ = RandomModelConfig();
  const RandomWeights source_{config_};
};

TEST_F(CudaDenseStageFaultsTest, StepsCompleteWithTheDevice) {
  DenseStageRun run(config_, source_);
  DenseSequence sequence(8);
  device_state.Hold();
  int completed = 0;
  run.Start({{&sequence, 4}}, [&](const Rows&) { ++completed; });
  run.Start({{&sequence, 4}}, [&](const Rows&) { ++completed; });
  EXPECT_TRUE(run.queue.empty());
  device_state.Release();
  run.queue.RunOne();
  EXPECT_EQ(completed, 1);
  run.queue.RunOne();
  EXPECT_EQ(completed, 2);
}

// Nothing that a step uses may change or be used again before the device has
// passed it.
TEST_F(CudaDenseStageFaultsTest, ASlowDeviceComputesTheSame) {
  DenseStageRun run(config_, source_);
  DenseSequence expected(40), slow(40);
  run.Step({{&expected, 40}});
  std::vector<cuda::Bf16> boundary;
  device_state.Hold();
  constexpr int kSteps = 10;
  for (int i = 0; i < kSteps; ++i) {
    run.Start({{&slow, 4}}, [&](const Rows& rows) {
      const std::vector<cuda::Bf16> numbers = ReadRows(rows);
      boundary.insert(boundary.end(), numbers.begin(), numbers.end());
    });
  }
  EXPECT_TRUE(device_state.held());  // Nothing has waited for it.
  device_state.Release();
  for (int i = 0; i < kSteps; ++i) run.queue.RunOne();
  EXPECT_TRUE(boundary == expected.boundary);
}

TEST_F(CudaDenseStageFaultsTest, UnfinishedStepsAreDropped) {
  DenseStageRun run(config_, source_);
  DenseSequence sequence(8);
  const auto called = std::make_shared<bool>(false);
  run.Start({{&sequence, 4}}, [called](const Rows&) { *called = true; });
  run.queue.Wait();  // Posted, but not run.
  device_state.Hold();
  run.Start({{&sequence, 4}}, [called](const Rows&) { *called = true; });
  run.stage.reset();
  run.queue.RunPosted();
  EXPECT_FALSE(*called);
  EXPECT_EQ(called.use_count(), 1);
}

TEST_F(CudaDenseStageFaultsTest, AFailureIsReportedOnceAndNothingIsCalled) {
  std::promise<absl::Status> failure;
  StageDeviceOptions options;
  options.max_rows = 8;
  options.on_failure = [&](const absl::Status& status) {
    failure.set_value(status);  // Throws the second time.
  };
  ThreadPool pool(1);
  EventQueue queue;
  const auto stage =
      CudaDenseStage::Load(config_, source_, {1 << 20, CacheType::kBf16}, pool,
                           std::move(options), nullptr);
  ASSERT_TRUE(stage.ok()) << stage.status();
  (*stage)->SetPost(queue.post());
  BlockTable blocks;
  ASSERT_TRUE((*stage)->blocks().Extend(blocks, 1));
  const auto forward = [&] {
    (*stage)->Forward({{{&blocks, 0, 4, 0}}, {1, 2, 3, 4}},
                      [](const Rows&) { ADD_FAILURE(); });
  };
  device_state.Hold();
  forward();
  device_state.Fail(cudaErrorIllegalAddress);
  EXPECT_EQ(failure.get_future().get().code(), absl::StatusCode::kInternal);
  forward();
  EXPECT_TRUE(queue.empty());
}

TEST_F(CudaDenseStageFaultsTest, AFailureWhileLoadingIsReturned) {
  device_state.Fail(cudaErrorIllegalAddress);
  StageDeviceOptions options;
  options.max_rows = 8;
  options.on_failure = [](const absl::Status& status) {
    ADD_FAILURE() << status;
  };
  ThreadPool pool(1);
  EXPECT_EQ(CudaDenseStage::Load(config_, source_, {1 << 20, CacheType::kBf16},
                                 pool, std::move(options), nullptr)
                .status()
                .code(),
            absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace apollo

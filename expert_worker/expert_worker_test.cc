#include "expert_worker/expert_worker.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <thread>

#include "engine/cpu/cpu_expert_stage.h"
#include "model/weights/open_model.h"

namespace apollo {
namespace {

class NoLink final : public Link {
 public:
  void Send(Frame) override {}
  void Close() override {}
};

// Waits for the worker's own thread to handle events, at most until the test
// times out.
void WaitUntil(const ExpertWorker& worker, bool ready) {
  while (worker.Ready() != ready) std::this_thread::yield();
}

Frame Says(const std::set<int>& experts, std::uint64_t revision,
           bool draining = false) {
  WorkerInfo info = {WorkerRole::kExpert, "p", "m", "1", experts};
  info.ready = true;
  info.revision = revision;
  info.draining = draining;
  return {info};
}

TEST(ExpertWorkerTest, IsReadyWhileEveryExpertIsOfferedHereOrByAPeer) {
  const auto model = OpenModelDirectory("tests/golden/published");
  ASSERT_TRUE(model.ok()) << model.status();
  ThreadPool pool(1);
  auto stage = CpuExpertStage::Load(model->config, *model->weights,
                                    {0, 1, 2, 3}, {1 << 20}, pool, nullptr);
  ASSERT_TRUE(stage.ok()) << stage.status();
  ExpertWorker worker({}, std::move(*stage));
  EXPECT_FALSE(worker.Ready());
  const std::set<int> others = {4, 5, 6};
  worker.OnLinkUp(1, {WorkerRole::kExpert, "p", "m", "1", others},
                  std::make_shared<NoLink>());
  const absl::Duration quiet = worker.QuietFor();  // No frame has come yet.
  worker.OnLinkFrame(1, {Progress{}});
  worker.OnLinkFrame(1, Says(others, 1));
  EXPECT_GE(worker.QuietFor(), quiet);
  worker.OnLinkFrame(1, {ReleaseSequences{}});
  EXPECT_LT(worker.QuietFor(), quiet);
  WaitUntil(worker, true);
  worker.OnLinkFrame(1, Says(others, 2, /*draining=*/true));
  WaitUntil(worker, false);
  worker.OnLinkFrame(1, Says(others, 3));
  WaitUntil(worker, true);
  worker.OnLinkDown(1, absl::OkStatus());
  WaitUntil(worker, false);
}

}  // namespace
}  // namespace apollo

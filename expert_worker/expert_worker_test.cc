#include "expert_worker/expert_worker.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <variant>

#include "common/fake_clock.h"
#include "common/queue.h"
#include "engine/cpu/cpu_expert_loader.h"
#include "engine/cpu/cpu_expert_stage.h"
#include "engine/testing/async_expert_stage.h"
#include "engine/testing/device_thread.h"
#include "expert_worker/core_fixture.h"
#include "model/weights/open_model.h"

namespace apollo {
namespace {

class NoLink final : public Link {
 public:
  void Send(Frame) override {}
  void Close() override {}
};

// Takes the results that a worker sends. Thread-safe.
class DenseLink final : public Link {
 public:
  void Send(Frame frame) override {
    if (auto* result = std::get_if<StageResult>(&frame.body)) {
      results_.Push(std::move(*result));
    }
  }
  void Close() override {}
  StageResult AwaitResult() { return *results_.Pop(); }
  bool HasResult() { return results_.TryPop().has_value(); }

 private:
  Queue<StageResult> results_;
};

// Holds the thread that sends the first description of a worker that stops.
class HeldLink final : public Link {
 public:
  void Send(Frame frame) override {
    const auto* info = std::get_if<WorkerInfo>(&frame.body);
    if (info == nullptr || !info->draining) return;
    if (std::exchange(held_before_, true)) return;
    held_.Push(true);
    continue_.Pop();
  }
  void Close() override {}
  void AwaitHeld() { held_.Pop(); }
  void Continue() { continue_.Push(true); }

 private:
  bool held_before_ = false;  // Of the engine's thread.
  Queue<bool> held_, continue_;
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
  EXPECT_TRUE(worker.Alive());  // It lacks others.
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

// Until then its process must not close the links: their end would look like a
// loss.
TEST(ExpertWorkerTest, ADrainIsOverOnlyOnceTheNeighboursAreTold) {
  const auto model = OpenModelDirectory("tests/golden/published");
  ASSERT_TRUE(model.ok()) << model.status();
  ThreadPool pool(1);
  auto stage = CpuExpertStage::Load(model->config, *model->weights,
                                    {0, 1, 2, 3}, {1 << 20}, pool, nullptr);
  ASSERT_TRUE(stage.ok()) << stage.status();
  ExpertWorker worker({}, std::move(*stage));
  EXPECT_EQ(worker.ToldFor(), absl::ZeroDuration());
  auto link = std::make_shared<HeldLink>();
  worker.OnLinkUp(1, {WorkerRole::kExpert, "p", "m", "1", {4, 5, 6}}, link);
  worker.Drain(/*hand_over=*/true);
  link->AwaitHeld();  // The engine's thread stands still within Drain.
  EXPECT_EQ(worker.ToldFor(), absl::ZeroDuration());
  link->Continue();
  while (worker.ToldFor() == absl::ZeroDuration()) std::this_thread::yield();
}

TEST(ExpertWorkerTest, IsReadyWhenAPlacementFileHasBroughtTheLastExpert) {
  const auto model = OpenModelDirectory("tests/golden/published");
  ASSERT_TRUE(model.ok()) << model.status();
  ThreadPool pool(1);
  auto stage = CpuExpertStage::Load(model->config, *model->weights,
                                    {0, 1, 2, 3}, {1 << 20}, pool, nullptr);
  ASSERT_TRUE(stage.ok()) << stage.status();
  ExpertCore::Options options;  // Nothing stands by.
  options.self.name = "w";
  ExpertWorker worker(
      std::move(options), std::move(*stage), nullptr, Clock::Real(),
      std::make_unique<CpuExpertLoader>(model->config, *model->weights));
  EXPECT_FALSE(worker.Ready());
  worker.TakePlacement({{"w", kAll}});
  WaitUntil(worker, true);
}

// A worker with all experts over a stage whose results come from a thread of a
// device.
class ExpertWorkerOnDeviceTest : public testing::Test {
 protected:
  ExpertWorkerOnDeviceTest() {
    EXPECT_TRUE(model_.ok()) << model_.status();
    auto stage = CpuExpertStage::Load(model_->config, *model_->weights, kAll,
                                      {1 << 20}, pool_, nullptr);
    EXPECT_TRUE(stage.ok()) << stage.status();
    worker_.emplace(
        ExpertCore::Options(),
        std::make_unique<AsyncExpertStage>(std::move(*stage), device_), nullptr,
        clock_);
    worker_->OnLinkUp(kDense, {WorkerRole::kDense, "d", "m", "1", {}}, link_);
    WaitUntil(*worker_, true);
  }

  // Waits until the engine has handled all events so far: this link is let go
  // by the last of them.
  void WaitForEvents() {
    auto link = std::make_shared<NoLink>();
    const std::weak_ptr<Link> gone = link;
    worker_->OnLinkUp(kOtherDense, {WorkerRole::kDense, "f", "m", "1", {}},
                      std::move(link));
    worker_->OnLinkDown(kOtherDense, absl::OkStatus());
    while (!gone.expired()) std::this_thread::yield();
  }

  SharedClock clock_;
  const absl::StatusOr<OpenModel> model_ =
      OpenModelDirectory("tests/golden/published");
  ThreadPool pool_{1};
  const std::shared_ptr<DenseLink> link_ = std::make_shared<DenseLink>();
  DeviceThread device_;
  std::optional<ExpertWorker> worker_;
};

TEST_F(ExpertWorkerOnDeviceTest, ResultsComeFromTheThreadOfTheDevice) {
  worker_->OnLinkFrame(kDense, Step(1, {RowsOf(5, 0, 3)}));
  ExpectSame(link_->AwaitResult(),
             Reference(Frames(Step(1, {RowsOf(5, 0, 3)})))[0]);
}

TEST_F(ExpertWorkerOnDeviceTest, AStageThatHangsMakesNoProgress) {
  device_.Hang();
  worker_->OnLinkFrame(kDense, Step(1, {RowsOf(5, 0, 3)}));
  device_.WaitForHeld(1);
  const std::uint64_t hung = worker_->progress();
  worker_->Tick();
  WaitForEvents();  // The engine itself is well.
  EXPECT_EQ(worker_->progress(), hung);
  EXPECT_TRUE(worker_->Ready());  // It may be a long piece of work.
  EXPECT_TRUE(worker_->Alive());

  for (int second = 0; second < 60; ++second) {
    clock_.Pass(absl::Seconds(1));
    worker_->Alive();  // As health is asked for.
  }
  worker_->Tick();
  WaitForEvents();
  EXPECT_EQ(worker_->progress(), hung);
  EXPECT_FALSE(worker_->Ready());
  EXPECT_FALSE(worker_->Alive());

  device_.Pass();
  device_.WaitForHeld(1);  // The next piece.
  WaitForEvents();
  EXPECT_GT(worker_->progress(), hung);  // A tick between pieces counts, too.
  EXPECT_TRUE(worker_->Ready());
  device_.GoOn();
  EXPECT_EQ(link_->AwaitResult().step, 1u);
}

TEST_F(ExpertWorkerOnDeviceTest, AnIdleWorkerMakesProgress) {
  const std::uint64_t before = worker_->progress();
  worker_->Tick();
  WaitForEvents();
  EXPECT_NE(worker_->progress(), before);
}

TEST_F(ExpertWorkerOnDeviceTest, AStageMayPostUntilItIsGone) {
  device_.Hang();
  worker_->OnLinkFrame(kDense, Step(1, {RowsOf(5, 0, 3)}));
  device_.WaitForHeld(1);
  worker_.reset();  // The stage posts what is left as it goes.
  EXPECT_EQ(device_.refused(), 1);
  EXPECT_FALSE(link_->HasResult());
}

TEST_F(ExpertWorkerOnDeviceTest, AStageMayPostWhileTheWorkerStops) {
  device_.Hang();
  worker_->OnLinkFrame(kDense, Step(1, {RowsOf(5, 0, 3)}));
  device_.WaitForHeld(1);
  device_.GoOn();
  worker_.reset();
  EXPECT_LE(device_.refused(), 1);  // Either in time or too late.
}

}  // namespace
}  // namespace apollo

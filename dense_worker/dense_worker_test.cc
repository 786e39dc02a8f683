// A dense worker over a stage whose results come from a thread of a device.
// What callers see of a worker is tested in tests/generation.

#include "dense_worker/dense_worker.h"

#include <gtest/gtest.h>

#include <latch>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <variant>

#include "common/fake_clock.h"
#include "common/queue.h"
#include "common/retry_hint.h"
#include "dense_worker/dense_core_fixture.h"
#include "engine/testing/device_thread.h"
#include "sequence/recording_sink.h"
#include "sequence/sequence_end.h"

namespace apollo {
namespace {

// The expert worker's end of a link. Thread-safe.
class ExpertLink final : public Link {
 public:
  void Send(Frame frame) override {
    if (std::holds_alternative<StageStep>(frame.body)) {
      steps_.Push(std::move(frame));
    }
  }
  void Close() override {}
  Frame AwaitStep() { return *steps_.Pop(); }
  bool HasStep() { return steps_.TryPop().has_value(); }

 private:
  Queue<Frame> steps_;
};

class DenseWorkerTest : public testing::Test {
 protected:
  DenseWorkerTest() {
    DenseCore::Options options;
    options.name = "d";
    worker_.emplace(
        options,
        std::make_unique<AsyncDenseStage>(
            std::make_unique<FakeDenseStage>(TinyConfig(), 64), device_),
        routing_, nullptr, clock_);
    WorkerInfo expert = {WorkerRole::kExpert, "e", "m", "1", kAll};
    worker_->OnLinkUp(kFirst, expert, link_);
    expert.reaches = kAll;
    expert.ready = true;
    expert.revision = 1;
    worker_->OnLinkFrame(kFirst, {expert});
    WaitForEvents();
  }

  std::shared_ptr<RecordingSink> Start(GenerationRequest request) {
    auto sink = std::make_shared<RecordingSink>();
    worker_->Start(std::move(request), sink);
    return sink;
  }
  // Waits until the engine has handled all events so far.
  void WaitForEvents() { Start(Request(0, 1))->Await(); }

  // Takes the next step from the link and answers it.
  void Round(std::int32_t token) {
    const Frame frame = link_->AwaitStep();
    worker_->OnLinkFrame(kFirst,
                         {Answer(std::get<StageStep>(frame.body), token)});
  }

  SharedClock clock_;
  RoutingLog routing_{TinyConfig(), LanguageLabels(FamilyTable::Paper()),
                      clock_};
  const std::shared_ptr<ExpertLink> link_ = std::make_shared<ExpertLink>();
  DeviceThread device_;
  std::optional<DenseWorker> worker_;
};

TEST_F(DenseWorkerTest, ResultsComeFromTheThreadOfTheDevice) {
  const auto sink = Start(Request(3, 2));
  for (const int token : {7, 8}) Round(token);
  EXPECT_EQ(sink->Await(), "started by d 0:7 1:8 finished");
}

TEST_F(DenseWorkerTest, AStageThatHangsMakesNoProgress) {
  EXPECT_TRUE(worker_->Ready());
  device_.Hang();
  const auto first = Start(Request(3, 1));
  device_.WaitForHeld(1);
  const std::uint64_t hung = worker_->progress();
  worker_->Tick();
  WaitForEvents();  // The engine itself is well.
  EXPECT_EQ(worker_->progress(), hung);
  EXPECT_TRUE(worker_->Ready());  // It may be a long step.
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

  device_.GoOn();
  Round(7);
  EXPECT_EQ(first->Await(), "started by d 0:7 finished");
  EXPECT_NE(worker_->progress(), hung);
  EXPECT_TRUE(worker_->Ready());
  EXPECT_TRUE(worker_->Alive());
}

TEST_F(DenseWorkerTest, AStepIsProgressThoughTheStageHasAnother) {
  device_.Hang();
  const auto first = Start(Request(3, 1));
  device_.WaitForHeld(1);
  const auto second = Start(Request(4, 1));
  device_.WaitForHeld(2);
  const std::uint64_t hung = worker_->progress();
  device_.Pass();
  Round(7);
  EXPECT_EQ(first->Await(), "started by d 0:7 finished");
  EXPECT_EQ(worker_->progress(), hung + 1);
  worker_->Tick();
  WaitForEvents();
  EXPECT_EQ(worker_->progress(), hung + 1);
  device_.GoOn();
  Round(8);
  EXPECT_EQ(second->Await(), "started by d 0:8 finished");
}

TEST_F(DenseWorkerTest, AnIdleWorkerMakesProgress) {
  const std::uint64_t before = worker_->progress();
  worker_->Tick();
  WaitForEvents();
  EXPECT_NE(worker_->progress(), before);
}

TEST_F(DenseWorkerTest, AHandOverMovesAllSequencesAndLaterOnes) {
  EXPECT_TRUE(worker_->Ready());
  const auto running = Start(Request(3, 2));
  const auto other = Start(Request(4, 2));
  Round(7);
  EXPECT_TRUE(running->AwaitPart(" 0:7"));
  worker_->HandOver();
  EXPECT_FALSE(worker_->Ready());
  EXPECT_TRUE(worker_->Alive());  // It only takes no more sequences.
  EXPECT_EQ(running->Await(), "started by d 0:7 UNAVAILABLE");
  other->Await();
  const auto late = Start(Request(3, 2));
  late->Await();
  for (const auto& sink : {running, other, late}) {
    EXPECT_EQ(sink->status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(EndOf(sink->status()), SequenceEnd::kMoved);
    EXPECT_EQ(sink->finishes(), 1);
  }
  EXPECT_EQ(worker_->sequences(), 0);
  worker_->HandOver();
}

// Holds the thread that tells it the end.
class HoldingSink final : public GenerationSink {
 public:
  void OnStarted(const GenerationStarted&) override {}
  void OnToken(const GeneratedToken&) override {}
  void OnFinished(absl::StatusOr<GenerationFinished>) override { go_on.wait(); }
  std::latch go_on{1};
};

TEST_F(DenseWorkerTest, RequestsThatTheEngineCannotSeeYetAreBounded) {
  const auto holding = std::make_shared<HoldingSink>();
  worker_->Start(Request(0, 1), holding);
  GenerationRequest large = Request(0, 1);
  large.prompt.resize(std::size_t{16} << 20);
  const auto waits = Start(std::move(large));
  const auto refused = Start(Request(3, 1));
  EXPECT_EQ(refused->status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(RetryHintOf(refused->status()).has_value());
  holding->go_on.count_down();
  waits->Await();
}

TEST_F(DenseWorkerTest, AStageMayPostUntilItIsGone) {
  device_.Hang();
  const auto sink = Start(Request(3, 1));
  device_.WaitForHeld(1);
  worker_.reset();  // The stage posts what is left as it goes.
  EXPECT_EQ(device_.refused(), 1);
  EXPECT_EQ(sink->Await(), "started by d UNAVAILABLE");
  EXPECT_FALSE(link_->HasStep());
}

TEST_F(DenseWorkerTest, AStageMayPostWhileTheWorkerStops) {
  device_.Hang();
  const auto first = Start(Request(3, 1));
  const auto second = Start(Request(4, 1));
  device_.WaitForHeld(1);
  device_.GoOn();
  worker_.reset();
  // Either in time or too late.
  EXPECT_EQ(first->Await(), "started by d UNAVAILABLE");
  EXPECT_EQ(second->finishes(), 1);
  EXPECT_LE(device_.refused(), 2);
}

}  // namespace
}  // namespace apollo

// What a dense worker does when there is too much, or too late.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "common/retry_hint.h"
#include "dense_worker/dense_core_fixture.h"
#include "dense_worker/queue_bound.h"
#include "dense_worker/queue_delay.h"
#include "link/frame.h"

namespace apollo {
namespace {

using absl::StatusCode;

TEST_F(DenseCoreTest, WaitingTokensAreBounded) {
  options_.max_waiting_tokens = 60;
  Start(4);
  LinkOne();
  // Nothing waits yet, so one may be larger than the bound.
  const auto running = Submit(1, Request(62, 2));
  Round(5);
  const auto waiting = Submit(2, Request(30, 1));
  const auto refused = Submit(3, Request(31, 1));
  EXPECT_EQ(refused->code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(
      refused->Says("the waiting requests have 30 tokens; with the 31 "
                    "of this one they would have more than 60"))
      << refused->status;
  EXPECT_FALSE(Submit(4, Request(30, 1))->finished);
  EXPECT_FALSE(waiting->finished);
}

TEST_F(DenseCoreTest, ARefusalSaysWhenToTryAgain) {
  options_.max_waiting = 1;
  Start(4);
  LinkOne();
  // 50 tokens per second are admitted.
  for (SequenceId id = 1; id <= 200; ++id) {
    Submit(id, Request(10, 1));
    Round(5);
    first_->frames.clear();
    clock_.now += absl::Milliseconds(200);
  }
  Submit(201, Request(62, 3));
  Round(5);
  const auto waiting = Submit(202, Request(60, 1));
  const auto refused = Submit(203, Request(1, 1));
  EXPECT_TRUE(refused->Says("1 requests are waiting")) << refused->status;
  const auto hint = RetryHintOf(refused->status);
  ASSERT_TRUE(hint);
  // 60 tokens wait; the rate is a little above 50.
  EXPECT_NEAR(absl::ToDoubleSeconds(*hint), 60 / 55.0, 0.2);
  clock_.now += absl::Hours(1);
  EXPECT_EQ(RetryHintOf(Submit(204, Request(1, 1))->status), QueueDelay::kMost);
}

// Twice the requests that there is room for.
TEST_F(DenseCoreTest, UnderOverloadSomeAreServedAndTheRestIsRefusedAtOnce) {
  options_.max_waiting = 4;
  options_.scheduler.max_running = 4;
  Start();
  LinkOne();
  std::vector<std::shared_ptr<FakeSink>> sinks;
  SequenceId id = 0;
  for (int i = 0; i < 4; ++i) sinks.push_back(Submit(++id, Request(9, 8)));
  Round(5);
  for (int i = 0; i < 12; ++i) sinks.push_back(Submit(++id, Request(9, 8)));
  int refused = 0;
  for (const auto& sink : sinks) {
    refused += sink->finished && sink->code() == StatusCode::kResourceExhausted;
  }
  EXPECT_EQ(refused, 8);
  // The others wait for one round of the answers before them, no longer.
  for (int i = 0; i < 7 + 8; ++i) {
    core_->Advance();
    first_->frames.erase(
        std::remove_if(first_->frames.begin(), first_->frames.end(),
                       [](const Frame& frame) {
                         return std::holds_alternative<ReleaseSequences>(
                             frame.body);
                       }),
        first_->frames.end());
    Reply(Answer(first_->Take<StageStep>(), 6));
  }
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(sinks[i]->status.ok()) << i;
  EXPECT_EQ(Counters().preemptions, 0);
}

// Four run; kLeastWaiting may wait for them.
class DenseCoreWaitTest : public DenseCoreTest {
 protected:
  DenseCoreWaitTest() {
    options_.scheduler.max_running = 4;
    options_.max_waiting_per_running = 0.5;
  }
  // Begins four, and lets as many wait as may.
  void Fill() {
    Start();
    LinkOne();
    for (int i = 0; i < 5; ++i) Add(Request(9, 8));
    Round(5);  // Has no room for the fifth.
    for (int i = 1; i < kLeastWaiting; ++i) Add(Request(9, 8));
    for (const auto& sink : sinks_) EXPECT_FALSE(sink->finished);
  }
  std::shared_ptr<FakeSink> Add(GenerationRequest request) {
    sinks_.push_back(Submit(++id_, std::move(request)));
    return sinks_.back();
  }
  SequenceId id_ = 0;
  std::vector<std::shared_ptr<FakeSink>> sinks_;
};

TEST_F(DenseCoreWaitTest, WhoWouldWaitForTooLongIsRefusedAtOnce) {
  Fill();
  const auto refused = Add(Request(9, 8));
  EXPECT_EQ(refused->code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(refused->Says("16 requests are waiting for the room of 4"))
      << refused->status;
  EXPECT_TRUE(RetryHintOf(refused->status));
  // One less waits.
  core_->Cancel(5);
  EXPECT_FALSE(Add(Request(9, 8))->finished);
}

TEST_F(DenseCoreWaitTest, ABurstMayFillAnIdleWorker) {
  Start();
  LinkOne();
  for (int i = 0; i < 4 + 2 * kLeastWaiting; ++i) {
    EXPECT_FALSE(Add(Request(9, 8))->finished) << i;
  }
  Round(5);
  EXPECT_EQ(Add(Request(9, 8))->code(), StatusCode::kResourceExhausted);
}

// They only wait for rows of a step.
TEST_F(DenseCoreWaitTest, PromptsThatWaitForTheirTurnHaveRoom) {
  options_.scheduler.max_running = 64;
  options_.scheduler.token_budget = 8;
  Start(512);
  LinkOne();
  for (int i = 0; i < 2 + kLeastWaiting; ++i) Add(Request(9, 8));
  Round(5);
  EXPECT_GE(Counters().waiting, kLeastWaiting);
  EXPECT_FALSE(Add(Request(9, 8))->finished);
}

// It overtakes those that wait.
TEST_F(DenseCoreWaitTest, LowerPrioritiesRefuseNobody) {
  Fill();
  GenerationRequest urgent = Request(9, 8);
  urgent.priority = 1;
  for (int i = 0; i < kLeastWaiting; ++i) {
    EXPECT_FALSE(Add(urgent)->finished) << i;
  }
  EXPECT_EQ(Add(urgent)->code(), StatusCode::kResourceExhausted);
  // So do those of priority 1.
  urgent.priority = 2;
  EXPECT_FALSE(Add(urgent)->finished);
  GenerationRequest patient = Request(9, 8);
  patient.priority = -1;
  EXPECT_EQ(Add(patient)->code(), StatusCode::kResourceExhausted);
}

// Its client was admitted by another worker, which was lost.
TEST_F(DenseCoreWaitTest, AnAnswerBegunElsewhereMayWait) {
  Fill();
  GenerationRequest begun = Request(9, 8);
  begun.answer_tokens = 4;
  EXPECT_FALSE(Add(begun)->finished);
  EXPECT_EQ(Add(Request(9, 8))->code(), StatusCode::kResourceExhausted);
}

TEST_F(DenseCoreWaitTest, OnceNobodyWaitsABurstIsTakenAgain) {
  Fill();
  for (SequenceId id = 1; id <= id_; ++id) core_->Cancel(id);
  first_->frames.clear();
  for (int i = 0; i < 4; ++i) Add(Request(9, 8));
  Round(5);
  for (int i = 0; i < 2 * kLeastWaiting; ++i) {
    EXPECT_FALSE(Add(Request(9, 8))->finished) << i;
  }
}

// Although there was no step in which nobody waited.
TEST_F(DenseCoreWaitTest, OnceAllAreCancelledABurstIsTakenAtOnce) {
  Fill();
  for (SequenceId id = 1; id <= id_; ++id) core_->Cancel(id);
  for (int i = 0; i < 2 * kLeastWaiting; ++i) {
    EXPECT_FALSE(Add(Request(9, 8))->finished) << i;
  }
}

// A sequence that waits for its client does not wait for room.
TEST_F(DenseCoreWaitTest, WhoIsPausedKeepsNobodyOut) {
  Fill();
  core_->SetPaused(5, true);
  for (SequenceId id = 1; id <= id_; ++id) {
    if (id != 5) core_->Cancel(id);
  }
  for (int i = 0; i < 2 * kLeastWaiting; ++i) {
    EXPECT_FALSE(Add(Request(9, 8))->finished) << i;
  }
}

// Their places are filled in several steps.
TEST_F(DenseCoreWaitTest, TheBoundStaysWhenManyEndAtTheSameTime) {
  constexpr int kMany = 4 * kLeastWaiting;
  options_.scheduler.max_running = kMany;
  options_.scheduler.token_budget = 1024;
  Start(512);
  LinkOne();
  for (int i = 0; i < kMany + kMany / 2; ++i) Add(Request(9, 8));
  Round(5);
  ASSERT_EQ(Counters().running, kMany);
  EXPECT_EQ(Add(Request(9, 8))->code(), StatusCode::kResourceExhausted);
  for (SequenceId id = 1; id <= kMany; ++id) core_->Cancel(id);
  core_->Cancel(kMany + 1);
  EXPECT_FALSE(Add(Request(9, 8))->finished);
  EXPECT_EQ(Add(Request(9, 8))->code(), StatusCode::kResourceExhausted);
}

TEST_F(DenseCoreTest, AWaitingSequenceIsDroppedAtItsDeadline) {
  Start(4);
  LinkOne();
  const auto running = Submit(1, Request(62, 2));
  Round(5);
  GenerationRequest late = Request(30, 5);
  late.deadline = clock_.now + absl::Seconds(2);
  const auto waiting = Submit(2, late);
  core_->Tick(clock_.now + absl::Seconds(2) - absl::Nanoseconds(1));
  EXPECT_FALSE(waiting->finished);
  clock_.now += absl::Seconds(2);
  core_->Advance();
  EXPECT_EQ(waiting->code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(first_->Take<ReleaseSequences>().items.at(0).sequence, 2u);
  Reply(Answer(first_->Take<StageStep>(), 6));  // Ends the first sequence.
  EXPECT_FALSE(core_->HasWork());
  EXPECT_TRUE(running->status.ok());
  EXPECT_EQ(Counters().prompt_rows, 62);  // Nothing was computed for it.
  EXPECT_EQ(core_->sequences(), 0);
}

TEST_F(DenseCoreTest, ARunningSequenceFreesEverythingAtItsDeadline) {
  Start();
  LinkOne();
  GenerationRequest request = Request(30, 50);
  request.deadline = clock_.now + absl::Seconds(2);
  const auto sink = Submit(1, request);
  const auto other = Submit(2, Request(3, 50));
  Round(5);
  Wait(absl::Seconds(2));
  EXPECT_EQ(sink->text, "d>e1 0:5 error");
  EXPECT_EQ(sink->code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(first_->Take<ReleaseSequences>().items.at(0).sequence, 1u);
  EXPECT_EQ(Counters().used_blocks, 1);
  EXPECT_FALSE(other->finished);
}

TEST_F(DenseCoreTest, ADeadlineThatHasPassedBeforeTheStart) {
  Start();
  LinkOne();
  GenerationRequest request = Request(3, 5);
  request.deadline = clock_.now;
  EXPECT_EQ(Submit(1, request)->code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(core_->sequences(), 0);
  request.deadline += absl::Seconds(1);
  Submit(1, request);
  core_->Cancel(1);
  Wait(absl::Seconds(5));  // It has ended: nothing happens.
}

}  // namespace
}  // namespace apollo

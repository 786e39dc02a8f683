#include <gtest/gtest.h>

#include "dense_worker/dense_core_fixture.h"

namespace apollo {
namespace {

using absl::StatusCode;

TEST_F(DenseCoreTest, ASequenceWithoutRoomAtItsWorkerRestarts) {
  Start();
  LinkOne();
  const auto sink = Submit(1, Request(5, 2)), other = Submit(2, Request(6, 2));
  core_->Advance();
  StageResult result = Answer(first_->Take<StageStep>(), 8);
  result.outputs.at(0).sampled.reset();
  result.outputs[0].status = absl::AbortedError("no room");
  Reply(result);
  EXPECT_EQ(first_->Take<ReleaseSequences>().items.at(0).sequence, 1u);
  EXPECT_EQ(Counters().preemptions, 1);
  // It waits until another sequence has ended.
  EXPECT_EQ(Round(9).sequences.size(), 1u);
  EXPECT_EQ(other->text, "d>e1 0:8 1:9 end");
  first_->Take<ReleaseSequences>();
  const auto step = Round(8);
  EXPECT_EQ(step.sequences.at(0).attempt, 2u);
  EXPECT_TRUE(step.sequences[0].start.has_value());
  // Without other sequences it retries after a pause.
  core_->Advance();
  Refuse(first_->Take<StageStep>());
  first_->Take<ReleaseSequences>();
  EXPECT_FALSE(core_->HasWork());
  Wait(DenseSequence::kFirstPause);
  const auto again = Round(9);
  EXPECT_EQ(again.sequences.at(0).tokens.size(), 6u);
  EXPECT_EQ(sink->text, "d>e1 0:8 1:9 end");
}

TEST_F(DenseCoreTest, PausesBetweenTriesGrowWhileOthersFillTheCache) {
  Start();
  LinkOne();
  const auto sink = Submit(1, Request(5, 3));
  int tries = 0;
  for (int i = 0; i < 3000; ++i) {  // 30 s.
    while (core_->HasWork()) {
      ASSERT_LT(++tries, 100);
      core_->Advance();
      Refuse(first_->Take<StageStep>());
      first_->Take<ReleaseSequences>();
    }
    Wait(absl::Milliseconds(10));
  }
  EXPECT_GE(tries, 15);
  EXPECT_LE(tries, 25);
  // Once there is room it continues, and pauses are short again.
  Wait(DenseSequence::kLongestPause);
  Round(40);
  core_->Advance();
  Refuse(first_->Take<StageStep>());
  first_->Take<ReleaseSequences>();
  EXPECT_FALSE(core_->HasWork());
  Wait(DenseSequence::kFirstPause);
  Round(41);
  Round(42);
  EXPECT_EQ(sink->text, "d>e1 0:40 1:41 2:42 end");
}

TEST_F(DenseCoreTest, AHeldSequenceContinuesWhenTheOneItWaitsForMovesAway) {
  Start(4);
  LinkBoth();
  SetQueued(kSecond, 100);  // Both begin on the first worker.
  const auto moves = Submit(1, Request(20, 2, 0));
  const auto held = Submit(2, Request(5, 1, 0));
  SetQueued(kSecond, 0);
  core_->Advance();
  StageResult result = Answer(first_->Take<StageStep>(), 40);
  result.outputs.at(1).status = absl::AbortedError("no room");
  Reply(result);
  EXPECT_EQ(first_->Take<ReleaseSequences>().items.at(0).sequence, 2u);
  // The first sequence loses its blocks here while its worker stops.
  GenerationRequest urgent = Request(60, 1, 5);
  urgent.priority = 1;
  Submit(3, urgent);
  core_->Advance();
  EXPECT_EQ(first_->Take<ReleaseSequences>().items.at(0).sequence, 1u);
  SetReach(kFirst, {});
  Reply(Answer(second_->Take<StageStep>(), 41), kSecond);
  second_->Take<ReleaseSequences>();
  // So it restarts elsewhere.
  core_->Advance();
  EXPECT_EQ(second_->Take<StageStep>().sequences.at(0).sequence, 1u);
  ASSERT_TRUE(core_->HasWork());
  core_->Advance();
  Reply(Answer(second_->Take<StageStep>(), 42), kSecond);
  EXPECT_EQ(held->text, "d>e1 0:42 end");
  EXPECT_FALSE(moves->finished);
}

TEST_F(DenseCoreTest, AHeldSequenceLeavesAWorkerThatAcceptsNone) {
  enum Kind { kStopsBefore, kStopsMeanwhile, kLeavesMeanwhile };
  for (const Kind kind : {kStopsBefore, kStopsMeanwhile, kLeavesMeanwhile}) {
    Start();
    LinkBoth();
    SetQueued(kSecond, 100);  // Both begin on the first worker.
    Submit(1, Request(20, 9, 0));
    const auto held = Submit(2, Request(5, 1, 0));
    SetQueued(kSecond, 0);
    core_->Advance();
    if (kind == kStopsBefore) SetReach(kFirst, {});
    StageResult result = Answer(first_->Take<StageStep>(), 40);
    result.outputs.at(1).status = absl::AbortedError("no room");
    Reply(result);
    if (kind == kStopsMeanwhile) SetReach(kFirst, {});
    if (kind == kLeavesMeanwhile) core_->LinkLeaving(kFirst, true);
    core_->Advance();  // The other sequence continues there.
    EXPECT_FALSE(core_->HasWork());
    Wait(DenseSequence::kFirstPause);
    core_->Advance();
    Reply(Answer(second_->Take<StageStep>(), 42), kSecond);
    EXPECT_EQ(held->text, "d>e1 0:42 end");
    Clear();
  }
}

}  // namespace
}  // namespace apollo

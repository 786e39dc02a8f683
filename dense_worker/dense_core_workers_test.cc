#include <gtest/gtest.h>

#include "dense_worker/dense_core_fixture.h"

namespace apollo {
namespace {

using absl::StatusCode;

TEST_F(DenseCoreTest, ADrainingWorkerGetsNoNewSequences) {
  Start();
  LinkBoth();
  const auto running = Submit(1, Request(4, 2, 0));
  core_->Advance();
  SetReach(kFirst, {});
  const auto next = Submit(2, Request(4, 2, 0));
  core_->Advance();
  EXPECT_EQ(next->text, "d>e2");
  Reply(Answer(first_->Take<StageStep>(), 100));
  core_->Advance();
  Reply(Answer(first_->Take<StageStep>(), 101));
  EXPECT_EQ(running->text, "d>e1 0:100 1:101 end");
  // The other worker alone does not reach every expert.
  SetReach(kSecond, {4, 5, 6});
  EXPECT_FALSE(core_->AllExpertsLive());
  const auto none = Submit(3, Request(4, 2, 0));
  EXPECT_EQ(none->code(), StatusCode::kUnavailable);
}

TEST_F(DenseCoreTest, AWaitingSequenceLeavesADrainingWorker) {
  options_.scheduler.max_running = 1;
  Start();
  LinkBoth();
  const auto running = Submit(1, Request(4, 1, 5));
  const auto waiting = Submit(2, Request(4, 1, 0));
  core_->Advance();
  SetReach(kFirst, {});
  Reply(Answer(second_->Take<StageStep>(), 100), kSecond);
  EXPECT_TRUE(running->finished);
  core_->Advance();
  EXPECT_EQ(waiting->text, "d>e2");
  core_->LinkDown(kFirst);
  EXPECT_FALSE(waiting->finished);
}

// Its worker has the previous wire version and sends no numerics id. A worker
// with an id might give other tokens.
TEST_F(DenseCoreTest, ASequenceDoesNotMoveWhereItsBitsMightDiffer) {
  Start();
  Up(kFirst, {WorkerRole::kExpert, "e1", "m", "1", kAll}, first_);
  WorkerInfo second = {WorkerRole::kExpert, "e2", "m", "1", kAll};
  second.numerics = "cpu/int8/f16/1";
  second.running_sequences = 9;
  Up(kSecond, second, second_);
  for (const LinkId id : {kFirst, kSecond}) SetReach(id, kAll);
  const auto begun = Submit(1, Request(4, 3, 0));
  core_->Advance();
  EXPECT_EQ(begun->text, "d>e1");
  // The sequence is refused there and the worker is draining, so it can only
  // wait.
  Refuse(first_->Take<StageStep>());
  SetReach(kFirst, {});
  Wait(absl::Minutes(1));
  while (core_->HasWork()) core_->Advance();
  EXPECT_TRUE(second_->frames.empty());
  first_->KeepOnly<StageStep>();
  Reply(Answer(first_->Take<StageStep>(), 100));
  EXPECT_EQ(begun->text, "d>e1 0:100");
}

TEST_F(DenseCoreTest, SequencesGoToTheWorkerThatReportsTheLeastLoad) {
  Start();
  Up(kFirst, {WorkerRole::kExpert, "e1", "m", "1", kAll}, first_);
  Up(kSecond, {WorkerRole::kExpert, "e2", "m", "1", kAll}, second_);
  infos_[kFirst].running_sequences = 40;  // Sequences of other dense workers.
  for (const LinkId id : {kFirst, kSecond}) SetReach(id, kAll);
  std::vector<std::shared_ptr<FakeSink>> sinks;
  for (SequenceId id = 1; id <= 5; ++id) {
    sinks.push_back(Submit(id, Request(9, 2, 0)));  // 10 rows in all.
  }
  core_->Advance();
  std::string texts;
  for (const auto& sink : sinks) texts += sink->text + " ";
  EXPECT_EQ(texts.substr(0, 20), "d>e2 d>e2 d>e2 d>e2 ");
  // The second worker's report includes them; the first reports that it is
  // idle.
  infos_[kFirst].running_sequences = 0;
  infos_[kSecond].running_sequences = 5;
  for (const LinkId id : {kFirst, kSecond}) SetReach(id, kAll);
  const auto next = Submit(6, Request(9, 2, 0));
  core_->Advance();
  EXPECT_EQ(next->text, "d>e1");
}

TEST_F(DenseCoreTest,
       AWorkerThatLeavesTheListKeepsItsLinkUntilItsSequencesEnd) {
  Start();
  LinkBoth();
  const auto running = Submit(1, Request(4, 2, 0));
  core_->Advance();
  core_->LinkLeaving(kFirst, true);
  EXPECT_FALSE(first_->closed);
  const auto next = Submit(2, Request(4, 2, 0));
  core_->Advance();
  EXPECT_EQ(next->text, "d>e2");
  Reply(Answer(first_->Take<StageStep>(), 100));
  EXPECT_FALSE(first_->closed);
  core_->Advance();
  Reply(Answer(first_->Take<StageStep>(), 101));
  EXPECT_EQ(running->text, "d>e1 0:100 1:101 end");
  EXPECT_TRUE(first_->closed);
  EXPECT_FALSE(second_->closed);
}

TEST_F(DenseCoreTest, AWorkerWithoutSequencesLeavesAtOnceUnlessListedAgain) {
  Start();
  LinkBoth();
  const auto sink = Submit(1, Request(4, 1, 0));
  core_->Advance();
  core_->LinkLeaving(kFirst, true);
  core_->LinkLeaving(kFirst, false);
  Reply(Answer(first_->Take<StageStep>(), 100));
  EXPECT_TRUE(sink->finished);
  EXPECT_FALSE(first_->closed);
  core_->LinkLeaving(kFirst, true);
  EXPECT_TRUE(first_->closed);
  core_->LinkLeaving(99, true);  // Unknown.
}

TEST_F(DenseCoreTest, AWaitingSequenceLeavesALeavingWorker) {
  options_.scheduler.max_running = 1;
  Start();
  LinkBoth();
  Submit(1, Request(4, 1, 5));
  const auto waiting = Submit(2, Request(4, 1, 0));
  core_->Advance();
  core_->LinkLeaving(kFirst, true);
  EXPECT_FALSE(first_->closed);
  Reply(Answer(second_->Take<StageStep>(), 100), kSecond);
  core_->Advance();
  EXPECT_EQ(waiting->text, "d>e2");
  EXPECT_TRUE(first_->closed);
}

TEST_F(DenseCoreTest, NoSequenceMovesToASilentWorkerOrCountsThere) {
  options_.scheduler.max_running = 2;
  Start();
  LinkBoth();
  Submit(1, Request(4, 9, 0));
  const auto silent = Submit(2, Request(4, 1, 5));
  const auto waiting = Submit(3, Request(4, 1, 0));
  core_->Advance();
  Reply(Answer(first_->Take<StageStep>(), 100));
  SetReach(kFirst, {});
  Wait(options_.silent_after * 2);
  core_->Cancel(1);
  core_->Advance();
  EXPECT_EQ(waiting->text, "d>e1");
  Reply(Answer(second_->Take<StageStep>(), 100), kSecond);
  EXPECT_TRUE(silent->finished);
  core_->LinkLeaving(kSecond, true);
  EXPECT_TRUE(second_->closed);
}

TEST_F(DenseCoreTest, ExpertWorkersAreCountedByTheirState) {
  Start();
  Wait(absl::Milliseconds(50));
  EXPECT_EQ(Counters().linked_workers, 0);
  LinkBoth();
  SetReach(kSecond, {});
  Wait(absl::Milliseconds(50));
  EXPECT_EQ(Counters().linked_workers, 2);
  EXPECT_EQ(Counters().ready_workers, 1);
  EXPECT_EQ(Counters().silent_workers, 0);
  Submit(1, Request(4, 9, 0));
  core_->Advance();
  Wait(options_.silent_after * 2);
  EXPECT_EQ(Counters().silent_workers, 1);
  core_->LinkDown(kFirst);
  Wait(absl::Milliseconds(50));
  EXPECT_EQ(Counters().linked_workers, 1);
  EXPECT_EQ(Counters().silent_workers, 0);
}

TEST_F(DenseCoreTest, NoStepBeginsForAWorkerWhoseLinkIsFull) {
  Start();
  LinkBoth();
  const auto sink = Submit(1, Request(4, 2, 0));
  const auto other = Submit(2, Request(4, 2, 5));
  core_->Advance();
  first_->room = false;
  Reply(Answer(first_->Take<StageStep>(), 100));
  Reply(Answer(second_->Take<StageStep>(), 101), kSecond);
  while (core_->HasWork()) core_->Advance();
  EXPECT_TRUE(first_->frames.empty());
  Reply(Answer(second_->Take<StageStep>(), 102), kSecond);
  EXPECT_EQ(other->text, "d>e2 0:101 1:102 end");
  // New sequences go elsewhere.
  const auto next = Submit(3, Request(4, 2, 0));
  core_->Advance();
  EXPECT_EQ(next->text, "d>e2");
  first_->room = true;
  core_->LinkWritable(kFirst);
  core_->Advance();
  Reply(Answer(first_->Take<StageStep>(), 103));
  EXPECT_EQ(sink->text, "d>e1 0:100 1:103 end");
  core_->LinkWritable(99);  // Unknown.
}

TEST_F(DenseCoreTest, APausedSequenceRestsAndTheOthersContinue) {
  Start();
  LinkOne();
  const auto paused = Submit(7, Request(5, 4));
  const auto other = Submit(8, Request(4, 3));
  core_->Advance();
  core_->SetPaused(7, true);
  // Tokens in flight still arrive.
  Reply(Answer(first_->Take<StageStep>(), 100));
  EXPECT_EQ(paused->text, "d>e1 0:100");
  Round(101);
  Round(102);
  EXPECT_EQ(other->text, "d>e1 0:100 1:101 2:102 end");
  EXPECT_EQ(paused->text, "d>e1 0:100");
  EXPECT_FALSE(core_->HasWork());
  first_->Take<ReleaseSequences>();
  core_->SetPaused(7, false);
  for (const int token : {103, 104, 105}) Round(token);
  EXPECT_EQ(paused->text, "d>e1 0:100 1:103 2:104 3:105 end");
  core_->SetPaused(7, true);  // It has ended.
}

TEST_F(DenseCoreTest, APausedSequenceIsNotAdmitted) {
  Start();
  LinkOne();
  const auto sink = Submit(7, Request(5, 4));
  core_->SetPaused(7, true);
  EXPECT_FALSE(core_->HasWork());
  core_->SetPaused(7, false);
  Round(100);
  EXPECT_EQ(sink->text, "d>e1 0:100");
}

// Two workers, the first of which never answers. Sequences of family 0 go to
// the first, those of family 5 to the second.
class SilentWorkerTest : public DenseCoreTest,
                         public testing::WithParamInterface<int> {
 protected:
  SilentWorkerTest() {
    options_.steps_in_flight = GetParam();
    Start();
    LinkBoth();
  }
  // The second worker answers one step.
  void AnswerSecond(std::int32_t token) {
    std::erase_if(second_->frames, [](const Frame& frame) {
      return std::holds_alternative<ReleaseSequences>(frame.body);
    });
    Reply(Answer(second_->Take<StageStep>(), token), kSecond);
  }
  // The maximum number of steps in flight waits for the first worker alone.
  void FillUp() {
    for (int i = 0; i < options_.steps_in_flight; ++i) {
      stuck_.push_back(Submit(100 + i, Request(4, 3, 0)));
      core_->Advance();
    }
    EXPECT_EQ(static_cast<int>(first_->frames.size()),
              options_.steps_in_flight);
    EXPECT_TRUE(second_->frames.empty());
  }
  std::vector<std::shared_ptr<FakeSink>> stuck_;
};

INSTANTIATE_TEST_SUITE_P(StepsInFlight, SilentWorkerTest, testing::Values(1, 2),
                         testing::PrintToStringParamName());

TEST_P(SilentWorkerTest, ItsUnansweredStepsDelayOthersForALimitedTime) {
  FillUp();
  const auto other = Submit(1, Request(4, 2, 5));
  EXPECT_FALSE(core_->HasWork());
  Wait(options_.silent_after);
  EXPECT_FALSE(core_->HasWork());
  Wait(absl::Milliseconds(1));
  ASSERT_TRUE(core_->HasWork());
  core_->Advance();
  AnswerSecond(100);
  core_->Advance();
  AnswerSecond(101);
  EXPECT_EQ(other->text, "d>e2 0:100 1:101 end");
}

// The first worker answers, but late.
class SlowWorkerTest : public SilentWorkerTest {
 protected:
  // Both workers answer for a sequence each, the first after a long time.
  void Begin() {
    Start();
    first_->frames.clear();
    second_->frames.clear();
    LinkBoth();
    slow_ = Submit(50, Request(4, 20, 0));
    fast_ = Submit(51, Request(4, 20, 5));
    core_->Advance();
    clock_.now += absl::Milliseconds(1);
    AnswerSecond(100);
    clock_.now += absl::Milliseconds(99);
    Reply(Answer(first_->Take<StageStep>(), 100), kFirst);
  }
  std::shared_ptr<FakeSink> slow_, fast_;
};

INSTANTIATE_TEST_SUITE_P(StepsInFlight, SlowWorkerTest, testing::Values(1, 2),
                         testing::PrintToStringParamName());

TEST_P(SlowWorkerTest, ItDelaysItsOwnSequencesOnly) {
  Begin();
  core_->Advance();
  for (int token = 101; token < 106; ++token) {
    AnswerSecond(token);
    ASSERT_TRUE(core_->HasWork());
    core_->Advance();
  }
  EXPECT_EQ(fast_->text, "d>e2 0:100 1:101 2:102 3:103 4:104 5:105");
  EXPECT_EQ(slow_->text, "d>e1 0:100");
  EXPECT_EQ(first_->frames.size(), 1u);
}

TEST_P(SlowWorkerTest, ItOwesABoundedNumberOfRows) {
  options_.scheduler.token_budget = 8;
  Begin();
  Submit(60, Request(200, 1, 0));
  for (int token = 101; core_->HasWork(); ++token) {
    core_->Advance();
    if (!second_->frames.empty()) AnswerSecond(token);
  }
  const auto rows = [this] {
    std::size_t sum = 0;
    for (const Frame& frame : first_->frames) {
      for (const auto& part : std::get<StageStep>(frame.body).sequences) {
        sum += part.tokens.size();
      }
    }
    return sum;
  };
  const std::size_t limit = 8u * static_cast<std::size_t>(GetParam());
  EXPECT_GE(rows(), limit);
  EXPECT_LT(rows(), limit + 8);
  while (!first_->frames.empty()) {
    Reply(Answer(first_->Take<StageStep>(), 101), kFirst);
  }
  EXPECT_TRUE(core_->HasWork());
}

TEST_P(SilentWorkerTest, ItGetsNoMoreStepsUntilItAnswers) {
  options_.scheduler.token_budget = 8;
  Start();
  first_->frames.clear();
  LinkBoth();
  SetReach(kSecond, {});
  const auto sink = Submit(1, Request(40, 3, 0));
  while (core_->HasWork()) core_->Advance();
  EXPECT_EQ(static_cast<int>(first_->frames.size()), options_.steps_in_flight);
  Wait(options_.silent_after * 2);
  while (core_->HasWork()) core_->Advance();
  EXPECT_EQ(static_cast<int>(first_->frames.size()), options_.steps_in_flight);
  // Then it continues normally.
  for (int chunk = 0; chunk < 5; ++chunk) {
    Reply(Answer(first_->Take<StageStep>(), 90), kFirst);
    while (core_->HasWork()) core_->Advance();
  }
  EXPECT_EQ(sink->text, "d>e1 0:90");
}

TEST_P(SilentWorkerTest, ItsSequencesFailInTheEndIfNoOtherTakesThem) {
  FillUp();
  SetReach(kSecond, {});
  Wait(options_.silent_after * 2);
  EXPECT_FALSE(core_->HasWork());
  EXPECT_FALSE(first_->closed);
  Wait(options_.answer_timeout);
  EXPECT_TRUE(first_->closed);
  EXPECT_FALSE(second_->closed);
  EXPECT_FALSE(stuck_[0]->finished);
  core_->LinkDown(kFirst);
  for (const auto& sink : stuck_) {
    EXPECT_EQ(sink->code(), StatusCode::kUnavailable);
  }
  EXPECT_EQ(Counters().used_blocks, 0);
}

TEST_P(SilentWorkerTest, NewSequencesGoElsewhereAndItsOwnMoveThere) {
  FillUp();
  Wait(options_.silent_after * 2);
  for (int i = 0; i < 3; ++i) {  // Although e1 has their family.
    const auto next = Submit(10 + i, Request(4, 1, 0));
    ASSERT_TRUE(core_->HasWork());
    core_->Advance();
    AnswerSecond(100);
    EXPECT_EQ(next->text, "d>e2 0:100 end");
  }
  for (const auto& sink : stuck_) {
    EXPECT_EQ(sink->text, "d>e1 0:100 1:100 2:100 end");
  }
  EXPECT_FALSE(first_->closed);
  Wait(options_.answer_timeout);
  EXPECT_TRUE(first_->closed);
  core_->LinkDown(kFirst);
  EXPECT_EQ(Counters().used_blocks, 0);
}

TEST_P(SilentWorkerTest, AnAnswerEndsItsSilence) {
  FillUp();
  SetReach(kSecond, {});
  Wait(options_.silent_after * 2);
  for (const auto& sink : stuck_) {
    Reply(Answer(first_->Take<StageStep>(), 90), kFirst);
    EXPECT_EQ(sink->text, "d>e1 0:90");
  }
  Wait(options_.answer_timeout * 2);  // It owes no answer.
  EXPECT_FALSE(first_->closed);
  const auto next = Submit(3, Request(4, 1, 0));
  core_->Advance();
  Reply(Answer(first_->Take<StageStep>(), 91), kFirst);
  EXPECT_EQ(next->text, "d>e1 0:91 end");
}

TEST_P(SilentWorkerTest, ItsPauseAndTheCallersDoNotEndEachOther) {
  options_.scheduler.token_budget = 8;
  Start();
  first_->frames.clear();
  LinkBoth();
  SetReach(kSecond, {});
  Submit(1, Request(40, 3, 0));
  while (core_->HasWork()) core_->Advance();
  Wait(options_.silent_after * 2);
  core_->SetPaused(1, true);
  core_->SetPaused(1, false);
  EXPECT_FALSE(core_->HasWork());
  core_->SetPaused(1, true);
  for (int i = 0; i < options_.steps_in_flight; ++i) {
    Reply(Answer(first_->Take<StageStep>(), 90), kFirst);
  }
  EXPECT_FALSE(core_->HasWork());
  core_->SetPaused(1, false);
  EXPECT_TRUE(core_->HasWork());
}

TEST_P(SilentWorkerTest, ProgressIsASignOfLifeHoweverLongAStepTakes) {
  FillUp();
  const auto other = Submit(1, Request(4, 1, 5));
  SetReach(kSecond, {});
  for (int i = 0; i < 100; ++i) {
    Wait(options_.silent_after);
    core_->LinkFrame(kFirst, {Progress{}, {}});
    EXPECT_FALSE(core_->HasWork());  // Its steps are in flight.
  }
  EXPECT_FALSE(first_->closed);
  Wait(options_.silent_after * 1.1);  // Now it stops.
  EXPECT_TRUE(core_->HasWork());
  core_->LinkFrame(kFirst, {Progress{}, {}});
  EXPECT_FALSE(core_->HasWork());  // It was only slow.
  Wait(options_.answer_timeout);
  EXPECT_FALSE(first_->closed);
  Wait(absl::Milliseconds(1));
  EXPECT_TRUE(first_->closed);
}

TEST_P(SilentWorkerTest, AnyFrameOfItsEngineIsASignOfLife) {
  FillUp();
  Wait(options_.answer_timeout);
  SetReach(kFirst, kAll);
  Wait(options_.answer_timeout);
  EXPECT_FALSE(first_->closed);
}

}  // namespace
}  // namespace apollo

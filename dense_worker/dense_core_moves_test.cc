// Sequences that continue on another expert worker.
#include <gtest/gtest.h>

#include <map>

#include "dense_worker/dense_core_fixture.h"

namespace apollo {
namespace {

using absl::StatusCode;

constexpr LinkId kThird = 13;
constexpr Progress kMoving = {.regular = true, .still = false};
constexpr Progress kStill = {.regular = true, .still = true};

class DenseCoreMovesTest : public DenseCoreTest {
 protected:
  // Answers the oldest frame of a worker, if there is one, with a token that
  // follows from the position. Checks that every row of a position is the same.
  void Serve(LinkId id, FakeLink& link) {
    if (link.frames.empty()) return;
    if (std::holds_alternative<ReleaseSequences>(link.frames.front().body)) {
      link.frames.pop_front();
      return;
    }
    std::vector<float> payload;
    const auto step = link.Take<StageStep>(&payload);
    StageResult result = Answer(step, 0);
    std::size_t row = 0;
    for (std::size_t i = 0; i < step.sequences.size(); ++i) {
      const SequenceRows& rows = step.sequences[i];
      for (std::size_t r = 0; r < rows.tokens.size(); ++r, ++row) {
        const float number = payload.at(row * TinyConfig().hidden_size);
        const int position = rows.first_position + static_cast<int>(r);
        const auto [it, added] =
            sent_.insert({{rows.sequence, position}, number});
        EXPECT_EQ(it->second, number) << position;
      }
      SequenceOutput& output = result.outputs[i];
      if (output.sampled) output.sampled->token = 50 + output.position;
    }
    Reply(result, id);
  }
  // One event of a run; they come in turns.
  void Turn(int number) {
    switch (number % 4) {
      case 1:
        return Serve(kFirst, *first_);
      case 2:
        return Serve(kSecond, *second_);
      case 3:
        return Serve(kThird, *third_);
      default:
        return core_->Advance();
    }
  }
  void Lose(LinkId id, FakeLink& link) {
    core_->LinkDown(id);
    link.frames.clear();
  }
  void Clear() {
    DenseCoreTest::Clear();
    third_->frames.clear();
    sent_.clear();
  }
  void Hear(LinkId id, const Progress& report) {
    core_->LinkFrame(id, {report});
  }
  // Lets the time pass in ticks; the workers report.
  void Pass(absl::Duration time, const std::map<LinkId, Progress>& reports) {
    for (const absl::Duration end = clock_.now + time; clock_.now < end;) {
      for (const auto& [id, report] : reports) Hear(id, report);
      Wait(absl::Milliseconds(50));
    }
  }

  std::map<std::pair<std::uint64_t, int>, float> sent_;
  std::shared_ptr<FakeLink> third_ = std::make_shared<FakeLink>();
};

// Each kind of request, lost after each number of events.
TEST_F(DenseCoreMovesTest, ALossAtAnyPointChangesNothingForTheCaller) {
  options_.scheduler.token_budget = 8;
  GenerationRequest requests[3] = {Request(20, 5, 0), Request(20, 5, 0),
                                   Request(20, 0, 0)};
  requests[1].prompt_logprobs = 0;
  requests[2].score_tokens = 12;
  for (const GenerationRequest& request : requests) {
    const bool scored = request.score_tokens > 0;
    const std::string expected =
        scored ? " end" : " 0:69 1:70 2:71 3:72 4:73 end";
    for (int loss = 0; loss < 40; ++loss) {
      SCOPED_TRACE(loss);
      Start();
      LinkBoth();
      const auto sink = Submit(1, request);
      for (int turn = 0; turn < loss && !sink->finished; ++turn) Turn(turn);
      Lose(kFirst, *first_);
      for (int turn = 0; turn < 200 && !sink->finished; ++turn) Turn(turn);
      ASSERT_TRUE(sink->finished);
      EXPECT_EQ(sink->text.substr(4), expected);
      // No dense layer has run twice, and each row counts once for the caller.
      const int positions = scored ? 19 : 24;
      EXPECT_EQ(Counters().prompt_rows + Counters().decode_rows, positions);
      EXPECT_EQ(sink->result.expert_use.at(0).tokens_by_expert[3],
                static_cast<std::uint64_t>(positions));
      EXPECT_EQ(Counters().preemptions, 0);
      EXPECT_EQ(Counters().used_blocks, 0);
      EXPECT_EQ(Counters().moves_continued, Counters().moved_lost);
      EXPECT_EQ(sink->result.score_logprobs.size(), scored ? 12u : 0u);
      std::size_t prompt = 0;
      for (const PromptLogprobs& piece : sink->prompts) {
        EXPECT_EQ(piece.index, static_cast<int>(prompt) + 1);
        prompt += piece.tokens.size();
      }
      EXPECT_EQ(prompt, request.prompt_logprobs ? 19u : 0u);
      Clear();
    }
  }
}

TEST_F(DenseCoreMovesTest, TwoLossesInARowAreNoWorse) {
  options_.scheduler.token_budget = 8;
  for (int first = 0; first < 24; first += 3) {
    for (int second = 0; second < 12; ++second) {
      SCOPED_TRACE(absl::StrCat(first, " ", second));
      Start();
      LinkBoth();
      const auto sink = Submit(1, Request(20, 5, 0));
      const auto shares = Submit(2, Request(20, 5, 5));
      const auto turns = [&](int count) {
        for (int turn = 0; turn < count; ++turn) Turn(turn);
      };
      turns(first);
      Lose(kFirst, *first_);
      Up(kThird, {WorkerRole::kExpert, "e3", "m", "1", kAll}, third_);
      SetReach(kThird, kAll);
      turns(second);
      Lose(kSecond, *second_);
      turns(200);
      const std::string tokens = " 0:69 1:70 2:71 3:72 4:73 end";
      EXPECT_EQ(sink->text.substr(4), tokens);
      EXPECT_EQ(shares->text.substr(4), tokens);
      EXPECT_LE(Counters().prompt_rows + Counters().decode_rows, 48);
      Clear();
    }
  }
}

TEST_F(DenseCoreMovesTest, TheLossOfTheLastWorkerFailsTheSequencesAtOnce) {
  Start();
  LinkOne();
  const auto sink = Submit(1, Request(4, 3));
  core_->Advance();
  core_->LinkDown(kFirst);
  EXPECT_EQ(sink->text, "d>e1 error");
  EXPECT_EQ(sink->code(), StatusCode::kUnavailable);
  EXPECT_TRUE(sink->Says("\"e1\" was lost, and no other")) << sink->status;
  EXPECT_EQ(Counters().moved_lost, 0);
  core_->LinkDown(kFirst);  // Unknown by now.
}

TEST_F(DenseCoreMovesTest, APausedSequenceMovesAndStaysPaused) {
  Start();
  LinkBoth();
  const auto paused = Submit(1, Request(4, 1, 0));
  core_->Advance();
  core_->SetPaused(1, true);
  core_->LinkDown(kFirst);
  EXPECT_FALSE(core_->HasWork());
  core_->SetPaused(1, false);
  core_->Advance();
  Serve(kSecond, *second_);
  EXPECT_EQ(paused->text, "d>e1 0:53 end");
}

TEST_F(DenseCoreMovesTest, AMoveIsToldAndEachWorkerKnowsTheTrace) {
  Start();
  LinkBoth();
  GenerationRequest request = Request(4, 2, 0);
  request.trace = TraceContext{{1}, {2}, true};
  const auto sink = Submit(1, request);
  core_->Advance();
  EXPECT_EQ(first_->Take<StageStep>().sequences.at(0).start->trace,
            request.trace);
  core_->LinkDown(kFirst);
  clock_.now += absl::Seconds(2);
  core_->Advance();
  const auto step = second_->Take<StageStep>();
  EXPECT_EQ(step.sequences.at(0).start->trace, request.trace);
  EXPECT_TRUE(sink->moves.empty());
  clock_.now += absl::Seconds(3);
  Reply(Answer(step, 5), kSecond);
  ASSERT_EQ(sink->moves.size(), 1u);
  const SequenceMove& move = sink->moves[0];
  EXPECT_STREQ(move.cause, "lost");
  EXPECT_EQ(move.from, "e1");
  EXPECT_EQ(move.to, "e2");
  EXPECT_EQ(move.rows, 4);
  EXPECT_EQ(move.replayed - move.noticed, absl::Seconds(2));
  EXPECT_EQ(move.continued - move.replayed, absl::Seconds(3));
}

TEST_F(DenseCoreMovesTest, AWaitingSequenceOfALostWorkerIsAdmittedElsewhere) {
  options_.scheduler.max_running = 1;
  Start();
  LinkBoth();
  Submit(1, Request(4, 1, 5));
  const auto waiting = Submit(2, Request(4, 1, 0));
  core_->Advance();
  core_->LinkDown(kFirst);
  Serve(kSecond, *second_);
  second_->Take<ReleaseSequences>();
  core_->Advance();
  Serve(kSecond, *second_);
  EXPECT_EQ(waiting->text, "d>e2 0:53 end");
}

TEST_F(DenseCoreMovesTest, AHeldSequenceOfALostWorkerIsAdmittedElsewhere) {
  Start();
  LinkBoth();
  const auto held = Submit(1, Request(4, 1, 0));
  core_->Advance();
  Refuse(first_->Take<StageStep>());
  EXPECT_FALSE(core_->HasWork());
  core_->LinkDown(kFirst);
  core_->Advance();
  Serve(kSecond, *second_);
  EXPECT_EQ(held->text, "d>e1 0:53 end");
  EXPECT_EQ(Counters().moved_lost, 0);  // It had no blocks.
}

TEST_F(DenseCoreMovesTest, AnUnheardWorkerLosesItsSequencesAndIsUsedAgain) {
  Start();
  LinkBoth();
  const auto sink = Submit(1, Request(20, 3, 0));
  Hear(kFirst, kStill);
  core_->Advance();
  const auto late = first_->Take<StageStep>();
  Pass(options_.lease * 2, {{kFirst, kMoving}});
  EXPECT_EQ(Counters().moved_silent, 0);
  Hear(kFirst, kStill);
  Wait(options_.lease);
  EXPECT_EQ(Counters().moved_silent, 0);
  Wait(absl::Milliseconds(1));
  EXPECT_EQ(Counters().moved_silent, 1);
  EXPECT_FALSE(first_->closed);
  // It is told that the old attempt has ended: once it thaws, it frees it.
  EXPECT_EQ(first_->Take<ReleaseSequences>().items.at(0).attempt, 1u);
  core_->Advance();
  const auto again = second_->Take<StageStep>();
  EXPECT_EQ(again.sequences.at(0).attempt, 2u);
  EXPECT_TRUE(again.sequences[0].start.has_value());
  // Its late answer counts as computed rows, and for nothing else.
  Reply(Answer(late, 99));
  EXPECT_EQ(sink->text, "d>e1");
  Reply(Answer(again, 60), kSecond);
  EXPECT_EQ(sink->text, "d>e1 0:60");
  EXPECT_EQ(Routed().languages.at(0).layers.at(0).tokens_by_expert[3], 40u);
  const auto next = Submit(2, Request(4, 1, 0));
  core_->Advance();
  EXPECT_EQ(next->text, "d>e1");
  Serve(kFirst, *first_);
  EXPECT_EQ(next->text, "d>e1 0:53 end");
}

TEST_F(DenseCoreMovesTest, AWorkerThatReportsAStandstillHasTheLongerLimit) {
  Start();
  LinkBoth();
  Submit(1, Request(20, 3, 0));
  core_->Advance();
  Pass(options_.silent_after, {{kFirst, kStill}});
  EXPECT_EQ(Counters().moved_silent, 0);
  Pass(options_.lease, {{kFirst, kStill}});
  EXPECT_EQ(Counters().moved_silent, 1);
  // While it stands still, it gets nothing.
  const auto next = Submit(2, Request(4, 1, 0));
  core_->Advance();
  EXPECT_EQ(next->text, "d>e2");
}

TEST_F(DenseCoreMovesTest, AProcessThatWasFrozenItselfJudgesNobody) {
  Start();
  LinkBoth();
  Submit(1, Request(20, 3, 0));
  Hear(kFirst, kMoving);
  core_->Advance();
  clock_.now += absl::Minutes(5);
  core_->Tick(clock_.now, {.lease = false, .timeout = false});
  EXPECT_EQ(Counters().moved_silent, 0);
  EXPECT_FALSE(first_->closed);
}

TEST_F(DenseCoreMovesTest, AWorkerWhoseLargeAnswerComesInPiecesIsNotSilent) {
  Start();
  LinkBoth();
  Submit(1, Request(20, 3, 0));
  core_->Advance();
  Hear(kFirst, kMoving);
  for (int piece = 0; piece < 40; ++piece) {
    Wait(options_.lease * 0.9);
    core_->LinkPiece(kFirst);
  }
  EXPECT_EQ(Counters().moved_silent, 0);
  Wait(options_.lease * 1.1);
  EXPECT_EQ(Counters().moved_silent, 1);
}

TEST_F(DenseCoreMovesTest, ABusyProcessStillClosesALinkThatTimesOut) {
  Start();
  LinkBoth();
  Submit(1, Request(20, 3, 0));
  core_->Advance();
  clock_.now += options_.answer_timeout + absl::Seconds(1);
  core_->Tick(clock_.now, {.lease = false});
  EXPECT_EQ(Counters().moved_silent, 0);
  EXPECT_TRUE(first_->closed);
}

TEST_F(DenseCoreMovesTest, SequencesWaitWhileNoOtherWorkerTakesThem) {
  Start();
  LinkBoth();
  SetReach(kSecond, {});
  const auto sink = Submit(1, Request(20, 1, 0));
  core_->Advance();
  Wait(options_.silent_after * 2);
  EXPECT_FALSE(core_->HasWork());
  SetReach(kSecond, kAll);
  Wait(absl::Milliseconds(50));
  core_->Advance();
  Serve(kSecond, *second_);
  EXPECT_EQ(sink->text, "d>e1 0:69 end");
  EXPECT_EQ(Counters().move_choice.count(), 1);
  EXPECT_GE(Counters().move_choice.sum(), 0.05);
  EXPECT_EQ(Counters().pause_silent.count(), 1);
  EXPECT_GE(Counters().pause_silent.sum(), Counters().move_choice.sum());
  EXPECT_EQ(Counters().pause_lost.count(), 0);
}

// Answers a step as a worker that has lost a peer.
StageResult Failed(const StageStep& step) {
  StageResult result = Answer(step, 0);
  for (SequenceOutput& output : result.outputs) {
    output.sampled.reset();
    output.status = absl::UnavailableError("a peer was lost");
  }
  return result;
}

TEST_F(DenseCoreMovesTest, AnAttemptThatFailsIsFollowedByAnotherOne) {
  Start();
  LinkBoth();
  SetQueued(kSecond, 1000);  // The first worker stays the better choice.
  const auto moves = Submit(1, Request(20, 2, 0));
  core_->Advance();
  Reply(Failed(first_->Take<StageStep>()));  // It still reaches all experts.
  EXPECT_EQ(first_->Take<ReleaseSequences>().items.at(0).attempt, 1u);
  core_->Advance();
  const auto again = first_->Take<StageStep>();
  EXPECT_EQ(again.sequences.at(0).attempt, 2u);
  SetReach(kFirst, {0, 1, 2, 3});
  Reply(Failed(again));
  core_->Advance();
  Serve(kSecond, *second_);
  EXPECT_EQ(moves->text, "d>e1 0:69");
  EXPECT_EQ(Counters().moved_failed, 2);
  EXPECT_EQ(Counters().prompt_rows, 20);
  // Without a worker that reaches every expert it fails.
  core_->Advance();
  SetReach(kSecond, {4, 5, 6});
  Reply(Failed(second_->Take<StageStep>()), kSecond);
  EXPECT_EQ(moves->code(), StatusCode::kUnavailable);
  EXPECT_TRUE(moves->Says("a peer was lost, and no worker")) << moves->status;
}

TEST_F(DenseCoreMovesTest, AfterTwoFailuresAnotherWorkerIsTried) {
  Start();
  LinkBoth();
  SetQueued(kSecond, 1000);  // The first worker stays the better choice.
  const auto sink = Submit(1, Request(20, 1, 0));
  for (int failure = 0; failure < 2; ++failure) {
    core_->Advance();
    Reply(Failed(first_->Take<StageStep>()));  // It still reaches all experts.
    first_->Take<ReleaseSequences>();
  }
  core_->Advance();
  ASSERT_TRUE(first_->frames.empty());
  Serve(kSecond, *second_);
  EXPECT_EQ(sink->text, "d>e1 0:69 end");
}

TEST_F(DenseCoreMovesTest, AWorkerThatAlwaysFailsIsNotAskedForEver) {
  Start();
  LinkOne();
  const auto sink = Submit(1, Request(20, 2));
  int attempts = 0;
  for (; !sink->finished; ++attempts) {
    ASSERT_LT(attempts, 10);
    core_->Advance();
    Reply(Failed(first_->Take<StageStep>()));
    first_->Take<ReleaseSequences>();
  }
  EXPECT_EQ(attempts, DenseSequence::kMostFailures);
  EXPECT_EQ(sink->code(), StatusCode::kUnavailable);
}

// The first chunk of each attempt succeeds, so it fails behind an answer.
TEST_F(DenseCoreMovesTest, RowsAnsweredOnceMoreAreNoProgress) {
  options_.scheduler.token_budget = 8;
  options_.scheduler.mixed_token_budget = 8;
  options_.steps_in_flight = 1;
  Start();
  LinkOne();
  const auto sink = Submit(1, Request(20, 2));
  int failures = 0;
  for (int turn = 0; turn < 200 && !sink->finished; ++turn) {
    core_->Advance();
    while (!first_->frames.empty()) {
      if (!std::holds_alternative<StageStep>(first_->frames.front().body)) {
        first_->frames.pop_front();
        continue;
      }
      const auto step = first_->Take<StageStep>();
      const bool fails = step.sequences.at(0).first_position > 0;
      failures += fails;
      Reply(fails ? Failed(step) : Answer(step, 7));
    }
  }
  EXPECT_TRUE(sink->finished);
  EXPECT_EQ(failures, DenseSequence::kMostFailures);
}

TEST_F(DenseCoreMovesTest, AWaitingContinuationKeepsItsNumerics) {
  options_.scheduler.max_running = 1;
  options_.numerics = "own";
  Start();
  WorkerInfo one = {WorkerRole::kExpert, "e1", "m", "1", kAll};
  one.numerics = "a";
  WorkerInfo two = {WorkerRole::kExpert, "e2", "m", "1", kAll};
  two.numerics = "b";
  Up(kFirst, one, first_);
  Up(kSecond, two, second_);
  SetReach(kFirst, kAll);
  SetReach(kSecond, kAll);
  GenerationRequest runs = Request(4, 5);
  runs.numerics = SequenceNumerics{"own", "b"};
  Submit(1, runs);
  core_->Advance();
  GenerationRequest waits = Request(4, 1);
  waits.numerics = SequenceNumerics{"own", "a"};
  const auto waiting = Submit(2, waits);
  core_->LinkDown(kFirst);
  EXPECT_EQ(waiting->text, " error");
  EXPECT_EQ(waiting->code(), StatusCode::kUnavailable);
}

TEST_F(DenseCoreMovesTest, AWorkerHandsItsSequencesOverOneByOne) {
  Start();
  LinkBoth();
  SetQueued(kSecond, 1000);  // Both begin on the first worker.
  const auto first = Submit(1, Request(20, 4, 0));
  const auto second = Submit(2, Request(20, 4, 0));
  SetQueued(kSecond, 0);
  core_->Advance();
  infos_[kFirst].hand_over = true;
  SetReach(kFirst, {});
  EXPECT_EQ(Counters().moved_hand_over, 0);  // Tokens are on their way.
  Serve(kFirst, *first_);
  EXPECT_EQ(Counters().moved_hand_over, 1);
  EXPECT_EQ(first_->Take<ReleaseSequences>().items.at(0).sequence, 1u);
  // The other one continues meanwhile.
  core_->Advance();
  Serve(kFirst, *first_);
  EXPECT_EQ(second->text, "d>e1 0:69 1:70");
  EXPECT_EQ(Counters().moved_hand_over, 1);
  Serve(kSecond, *second_);
  core_->Advance();
  Serve(kFirst, *first_);
  EXPECT_EQ(second->text, "d>e1 0:69 1:70 2:71");
  EXPECT_EQ(Counters().moved_hand_over, 2);
  for (int turn = 0; turn < 40; ++turn) Turn(turn);
  EXPECT_EQ(first->text, "d>e1 0:69 1:70 2:71 3:72 end");
  EXPECT_EQ(second->text, "d>e1 0:69 1:70 2:71 3:72 end");
  EXPECT_EQ(Counters().prompt_rows + Counters().decode_rows, 20 + 20 + 6);
}

TEST_F(DenseCoreMovesTest, AHandOverToOneWorkerDoesNotWaitForAnother) {
  Start();
  LinkBoth();
  Up(kThird, {WorkerRole::kExpert, "e3", "m", "1", kAll}, third_);
  for (const LinkId id : {kSecond, kThird}) SetQueued(id, 1000);
  const auto first = Submit(1, Request(20, 4));
  const auto second = Submit(2, Request(20, 4));
  for (const LinkId id : {kSecond, kThird}) SetQueued(id, 0);
  core_->Advance();
  infos_[kFirst].hand_over = true;
  SetReach(kFirst, {});
  Serve(kFirst, *first_);
  EXPECT_EQ(Counters().moved_hand_over, 2);
  core_->Advance();
  EXPECT_FALSE(second_->frames.empty());
  EXPECT_FALSE(third_->frames.empty());
  for (int turn = 0; turn < 40; ++turn) Turn(turn);
  for (const auto& sink : {first, second}) {
    EXPECT_EQ(sink->text, "d>e1 0:69 1:70 2:71 3:72 end");
  }
}

TEST_F(DenseCoreMovesTest, SequencesStayIfNobodyTakesTheHandOver) {
  Start();
  LinkOne();
  const auto sink = Submit(1, Request(20, 3));
  core_->Advance();
  infos_[kFirst].hand_over = true;
  SetReach(kFirst, {});
  for (int turn = 0; turn < 20; ++turn) Turn(turn);
  EXPECT_EQ(sink->text, "d>e1 0:69 1:70 2:71 end");
}

TEST_F(DenseCoreMovesTest, ManySequencesAreReplayedAtOnceAndDelayNoOther) {
  options_.steps_in_flight = 1;
  Start(200);
  LinkBoth();
  Up(kThird, {WorkerRole::kExpert, "e3", "m", "1", kAll}, third_);
  SetQueued(kSecond, 100'000);  // All begin on the first worker.
  std::vector<std::shared_ptr<FakeSink>> sinks;
  for (SequenceId id = 1; id <= 16; ++id) {
    sinks.push_back(Submit(id, Request(128, 20, 0)));
  }
  SetQueued(kSecond, 0);
  const auto other = Submit(17, Request(4, 40, 5));
  const auto serve = [this](LinkId id, FakeLink& link) {
    while (!link.frames.empty()) Serve(id, link);
  };
  for (int round = 0; round < 8; ++round) {
    core_->Advance();
    serve(kFirst, *first_);
    serve(kSecond, *second_);
  }
  core_->Advance();  // All sequences await a token.
  SetReach(kThird, kAll);
  SetReach(kSecond, {});
  Lose(kFirst, *first_);
  EXPECT_EQ(Counters().moved_lost, 16);
  // The new worker does not answer yet. All the same, a batch of rows goes
  // there in a few steps, and the other sequence continues to its end.
  serve(kSecond, *second_);
  while (core_->HasWork()) {
    core_->Advance();
    serve(kSecond, *second_);
  }
  EXPECT_EQ(Counters().rows_replayed, 2048);
  EXPECT_LE(third_->frames.size(), 6u);
  EXPECT_TRUE(other->finished);
  std::string expected;
  for (int i = 0; i < 20; ++i) absl::StrAppend(&expected, " ", i, ":", 177 + i);
  for (int turn = 0; turn < 400; ++turn) Turn(turn);
  for (const auto& sink : sinks) {
    EXPECT_EQ(sink->text, "d>e1" + expected + " end");
  }
  EXPECT_EQ(Counters().prompt_rows + Counters().decode_rows,
            16 * (128 + 19) + 4 + 39);
}

}  // namespace
}  // namespace apollo

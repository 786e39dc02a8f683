#include <gtest/gtest.h>

#include "dense_worker/dense_core_fixture.h"

namespace apollo {
namespace {

using absl::StatusCode;

TEST_F(DenseCoreTest, StartsGeneratesAndFinishes) {
  Start();
  LinkOne();
  GenerationRequest request = Request(5, 3, 6);
  request.hybrid = true;
  request.top_logprobs = 4;
  request.sampling.seed = 99;
  request.language = "sw";
  const auto sink = Submit(7, request);
  StageStep step = Round(100);
  EXPECT_EQ(sink->text, "d>e1 0:100");
  ASSERT_EQ(step.sequences.size(), 1u);
  EXPECT_EQ(step.sequences[0].sequence, 7u);
  EXPECT_EQ(step.sequences[0].tokens, request.prompt);
  EXPECT_TRUE(step.sequences[0].sample);
  ASSERT_TRUE(step.sequences[0].start.has_value());
  EXPECT_EQ(step.sequences[0].start->family, 6);
  EXPECT_TRUE(step.sequences[0].start->hybrid);
  EXPECT_EQ(step.sequences[0].start->top_logprobs, 4);
  EXPECT_EQ(step.sequences[0].start->prompt_tokens, 5);
  EXPECT_EQ(step.sequences[0].start->sampling.seed, 99u);
  EXPECT_EQ(step.sequences[0].start->language, "sw");
  step = Round(101);
  EXPECT_EQ(step.sequences[0].tokens, std::vector<std::int32_t>{100});
  EXPECT_EQ(step.sequences[0].first_position, 5);
  EXPECT_FALSE(step.sequences[0].start.has_value());
  EXPECT_GT(Counters().used_blocks, 0);
  Round(102);
  EXPECT_EQ(sink->text, "d>e1 0:100 1:101 2:102 end");
  EXPECT_EQ(sink->result.cause, FinishCause::kLength);
  ASSERT_EQ(sink->result.expert_use.size(), 2u);
  EXPECT_EQ(sink->result.expert_use[0].layer, TinyConfig().boundary);
  EXPECT_EQ(sink->result.expert_use[0].tokens_by_expert[3], 7u);
  EXPECT_EQ(sink->result.expert_use[1].tokens_by_expert[2], 7u);
  EXPECT_EQ(sink->result.expert_use[0].off_family_tokens, 0u);
  EXPECT_EQ(sink->result.expert_use[1].off_family_tokens, 7u);
  const RoutingCounts routed = Routed();
  ASSERT_EQ(routed.languages.size(), 1u);
  EXPECT_EQ(routed.languages[0].language, "sw");
  EXPECT_GT(routed.languages[0].family_tokens, 0u);
  EXPECT_EQ(routed.languages[0].layers.at(0).tokens_by_expert[3], 7u);
  EXPECT_EQ(routed.languages[0].layers.at(1).off_family_tokens, 7u);
  const auto release = first_->Take<ReleaseSequences>();
  ASSERT_EQ(release.items.size(), 1u);
  EXPECT_EQ(release.items[0].sequence, 7u);
  EXPECT_EQ(release.items[0].attempt, step.sequences[0].attempt);
  EXPECT_EQ(Counters().steps, 3);
  EXPECT_EQ(Counters().step_rows.count(), 3);
  EXPECT_EQ(Counters().step_rows.sum(),
            Counters().decode_rows + Counters().prompt_rows);
  EXPECT_EQ(Counters().step_seconds.count(), 3);
  EXPECT_EQ(Counters().answer_seconds.count(), 3);
  EXPECT_EQ(Counters().prompt_rows, 5);
  EXPECT_EQ(Counters().decode_rows, 2);
  EXPECT_EQ(Counters().blocks, 64);
  EXPECT_EQ(Counters().used_blocks, 0);
  EXPECT_EQ(core_->sequences(), 0);
  EXPECT_FALSE(core_->HasWork());
}

TEST_F(DenseCoreTest, TokensCarryTheExpertUseSoFarIfAskedFor) {
  Start();
  LinkOne();
  GenerationRequest request = Request(5, 2);
  request.use_with_tokens = true;
  const auto sink = Submit(7, request);
  Round(100);
  Round(101);
  const int boundary = TinyConfig().boundary;
  EXPECT_EQ(sink->text, absl::StrCat("d>e1 0:100/", boundary, "=5,0/",
                                     boundary + 1, "=0,5 1:101/", boundary,
                                     "=6,0/", boundary + 1, "=0,6 end"));
}

TEST_F(DenseCoreTest, RowsOfAnEndedSequenceAreCountedOnce) {
  Start();
  LinkOne();
  GenerationRequest request = Request(4, 5);
  request.language = "de";
  Submit(7, request);
  core_->Advance();
  const auto step = first_->Take<StageStep>();
  core_->Cancel(7);
  StageResult answer = Answer(step, 100);
  // A correct worker never repeats an output.
  answer.outputs.push_back(answer.outputs[0]);
  answer.outputs.push_back(answer.outputs[0]);
  answer.outputs.back().sequence = 8;
  Reply(answer);
  const RoutingCounts routed = Routed();
  ASSERT_EQ(routed.languages.size(), 1u);
  EXPECT_EQ(routed.languages[0].language, "de");
  EXPECT_EQ(routed.languages[0].family_tokens, 0u);
  EXPECT_EQ(routed.languages[0].layers.at(0).tokens_by_expert[3], 4u);
  EXPECT_EQ(routed.languages[0].layers.at(1).off_family_tokens, 4u);
}

TEST_F(DenseCoreTest, EachWorkerGetsTheRowsOfItsSequences) {
  const auto alone = [this](SequenceId id, const GenerationRequest& request,
                            FakeLink& link) {
    Start();
    LinkBoth();
    Submit(id, request);
    core_->Advance();
    std::vector<float> payload;
    link.Take<StageStep>(&payload);
    first_->frames.clear();
    second_->frames.clear();
    Clear();
    return payload;
  };
  const auto expected_first = alone(1, Request(9, 2, 1), *first_);
  const auto expected_second = alone(2, Request(5, 2, 5), *second_);
  ASSERT_EQ(expected_first.size(), 9u * TinyConfig().hidden_size);
  ASSERT_EQ(expected_second.size(), 5u * TinyConfig().hidden_size);
  Start();
  LinkBoth();
  Submit(1, Request(9, 2, 1));
  Submit(2, Request(5, 2, 5));
  Submit(3, Request(3, 2, 5));
  core_->Advance();
  std::vector<float> payload;
  EXPECT_EQ(first_->Take<StageStep>(&payload).sequences.size(), 1u);
  EXPECT_TRUE(payload == expected_first);
  EXPECT_EQ(second_->Take<StageStep>(&payload).sequences.size(), 2u);
  ASSERT_EQ(payload.size(), 8u * TinyConfig().hidden_size);
  payload.resize(expected_second.size());
  EXPECT_TRUE(payload == expected_second);
}

TEST_F(DenseCoreTest, WithoutEveryExpertNothingStarts) {
  Start();
  EXPECT_FALSE(core_->AllExpertsLive());
  EXPECT_EQ(Submit(1, Request(3, 1))->code(), StatusCode::kUnavailable);
  Up(kFirst, {WorkerRole::kExpert, "e1", "m", "1", {0, 1, 2, 3, 5, 6}}, first_);
  SetReach(kFirst, {0, 1, 2, 3, 5, 6});
  const auto sink = Submit(2, Request(3, 1));
  EXPECT_EQ(sink->text, " error");
  EXPECT_EQ(sink->code(), StatusCode::kUnavailable);
  EXPECT_TRUE(sink->Says("expert 4")) << sink->status;
  Up(kSecond, {WorkerRole::kExpert, "e2", "m", "1", {4}}, second_);
  EXPECT_FALSE(core_->AllExpertsLive());
  SetReach(kSecond, kAll);
  EXPECT_TRUE(core_->AllExpertsLive());
  EXPECT_FALSE(Submit(3, Request(3, 1))->finished);
}

TEST_F(DenseCoreTest, CancelFreesEverythingAndLateAnswersAreDropped) {
  Start();
  LinkOne();
  const auto sink = Submit(1, Request(40, 5));
  const auto other = Submit(2, Request(4, 5));
  core_->Advance();
  const auto step = first_->Take<StageStep>();
  core_->Cancel(1);
  core_->Cancel(1);
  core_->Cancel(77);
  EXPECT_EQ(sink->text, "d>e1 error");
  EXPECT_EQ(sink->code(), StatusCode::kCancelled);
  EXPECT_EQ(first_->Take<ReleaseSequences>().items.at(0).sequence, 1u);
  EXPECT_TRUE(first_->frames.empty());
  EXPECT_EQ(Counters().used_blocks, 1);
  Reply(Answer(step, 50));
  EXPECT_FALSE(first_->closed);
  EXPECT_EQ(sink->text, "d>e1 error");
  EXPECT_EQ(other->text, "d>e1 0:50");
}

TEST_F(DenseCoreTest, AtMostTwoStepsAreInFlight) {
  options_.scheduler.token_budget = 4;
  Start();
  LinkOne();
  const auto sink = Submit(1, Request(19, 2));
  core_->Advance();
  ASSERT_TRUE(core_->HasWork());
  core_->Advance();
  EXPECT_FALSE(core_->HasWork());
  core_->Advance();  // Does nothing.
  ASSERT_EQ(first_->frames.size(), 2u);
  for (int chunk = 0; chunk < 5; ++chunk) {
    const auto step = first_->Take<StageStep>();
    EXPECT_EQ(step.sequences.at(0).first_position, 4 * chunk);
    EXPECT_EQ(step.sequences[0].start.has_value(), chunk == 0);
    EXPECT_EQ(step.sequences[0].sample, chunk == 4);
    Reply(Answer(step, 9));
    EXPECT_EQ(core_->HasWork(), chunk != 3);
    if (core_->HasWork()) core_->Advance();
  }
  EXPECT_EQ(sink->text, "d>e1 0:9");
}

TEST_F(DenseCoreTest, TheEndTokenEndsTheAnswerUnlessIgnored) {
  const std::int32_t eos = TinyConfig().eos_tokens.at(0);
  Start();
  LinkOne();
  const auto sink = Submit(1, Request(3, 9));
  Round(7);
  Round(eos);
  EXPECT_EQ(sink->text, "d>e1 0:7 end");
  EXPECT_EQ(sink->result.cause, FinishCause::kEos);
  first_->frames.clear();
  GenerationRequest request = Request(3, 2);
  request.ignore_eos = true;
  const auto ignoring = Submit(2, request);
  Round(eos);
  Round(eos);
  EXPECT_EQ(ignoring->text, absl::StrCat("d>e1 0:", eos, " 1:", eos, " end"));
  EXPECT_EQ(ignoring->result.cause, FinishCause::kLength);
}

TEST_F(DenseCoreTest, EndTokensOfTheRequestEndTheAnswerToo) {
  Start();
  LinkOne();
  GenerationRequest request = Request(3, 9);
  request.end_tokens = {8, 11};
  const auto sink = Submit(1, request);
  Round(7);
  Round(11);
  EXPECT_EQ(sink->text, "d>e1 0:7 end");
  EXPECT_EQ(sink->result.cause, FinishCause::kEos);
  first_->frames.clear();
  request.max_new_tokens = 2;
  request.ignore_eos = true;
  const auto ignoring = Submit(2, request);
  Round(11);
  Round(8);
  EXPECT_EQ(ignoring->text, "d>e1 0:11 1:8 end");
  EXPECT_EQ(ignoring->result.cause, FinishCause::kLength);
}

TEST_F(DenseCoreTest, ScoresComeInChunksAndInOrder) {
  options_.scheduler.token_budget = 8;
  for (const int count : {19, 12, 1}) {
    Start();
    LinkOne();
    GenerationRequest request = Request(20, 0);
    request.score_tokens = count;
    const auto sink = Submit(1, request);
    for (int chunk = 0; chunk < 3; ++chunk) {
      EXPECT_FALSE(sink->finished);
      for (const auto& rows : Round(0).sequences) EXPECT_FALSE(rows.sample);
    }
    EXPECT_EQ(sink->text, "d>e1 end");
    EXPECT_EQ(sink->result.cause, FinishCause::kScored);
    ASSERT_EQ(sink->result.score_logprobs.size(),
              static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ(sink->result.score_logprobs[i],
                -static_cast<float>(request.prompt[20 - count + i]));
    }
    // The last token is never fed.
    EXPECT_EQ(Counters().prompt_rows, 19);
    Clear();
  }
}

TEST_F(DenseCoreTest, ALostWorkerFailsOnlyItsSequencesIfNoOtherTakesThem) {
  Start();
  LinkBoth();
  const auto lost = Submit(1, Request(3, 2, 0));
  const auto kept = Submit(2, Request(3, 2, 5));
  core_->Advance();
  SetReach(kSecond, {4, 5, 6});
  core_->LinkDown(kFirst);
  EXPECT_EQ(lost->text, "d>e1 error");
  EXPECT_EQ(lost->code(), StatusCode::kUnavailable);
  EXPECT_TRUE(lost->Says("\"e1\" was lost")) << lost->status;
  EXPECT_TRUE(lost->Says("expert 0")) << lost->status;
  EXPECT_FALSE(core_->AllExpertsLive());
  SetReach(kFirst, kAll);  // From a closed link.
  EXPECT_FALSE(core_->AllExpertsLive());
  for (int i = 0; i < 2; ++i) {
    Reply(Answer(second_->Take<StageStep>(), 8), kSecond);
    if (core_->HasWork()) core_->Advance();
  }
  EXPECT_EQ(kept->text, "d>e2 0:8 1:8 end");
  // Frames from a closed link are ignored.
  Reply({1, {}}, kFirst);
  // No step of the lost worker counts as in flight.
  LinkOne();
  const auto next = Submit(3, Request(3, 1, 0));
  EXPECT_TRUE(core_->HasWork());
}

TEST_F(DenseCoreTest, SequencesWaitForBlocksUpToALimit) {
  options_.max_waiting = 1;
  Start(4);
  LinkOne();
  const auto running = Submit(1, Request(40, 5));
  EXPECT_EQ(Round(5).sequences.size(), 1u);
  const auto waiting = Submit(2, Request(39, 1));
  EXPECT_EQ(Counters().waiting, 1);
  EXPECT_EQ(Submit(3, Request(1, 1))->code(), StatusCode::kResourceExhausted);
  core_->Cancel(1);
  first_->Take<ReleaseSequences>();
  EXPECT_EQ(Round(6).sequences.at(0).sequence, 2u);
  EXPECT_EQ(waiting->text, "d>e1 0:6 end");
}

TEST_F(DenseCoreTest, AnAnswerBegunElsewhereContinues) {
  Start();
  LinkOne();
  GenerationRequest request = Request(6, 2);
  request.answer_tokens = 4;
  const auto sink = Submit(7, request);
  const StageStep step = Round(100);
  EXPECT_EQ(step.sequences[0].tokens, request.prompt);
  EXPECT_EQ(step.sequences[0].start->prompt_tokens, 2);
  Round(101);
  EXPECT_EQ(sink->text, "d>e1 4:100 5:101 end");
}

TEST_F(DenseCoreTest, RemainingSequencesEndAsUnavailable) {
  Start();
  LinkOne();
  const auto sink = Submit(1, Request(3, 2));
  core_.reset();
  EXPECT_EQ(sink->code(), StatusCode::kUnavailable);
}

TEST_F(DenseCoreTest, ImpossibleRequestsAreRefusedWithTheReason) {
  Start(4);
  LinkOne();
  const auto expect = [this](const GenerationRequest& request, StatusCode code,
                             const std::string& part) {
    const auto sink = Submit(1, request);
    EXPECT_EQ(sink->text, " error");
    EXPECT_EQ(sink->code(), code) << sink->status;
    EXPECT_TRUE(sink->Says(part)) << sink->status;
    EXPECT_EQ(core_->sequences(), 0);
  };
  expect(Request(0, 1), StatusCode::kInvalidArgument, "no tokens");
  expect(Request(65, 1), StatusCode::kFailedPrecondition,
         "take 65 tokens, but the cache holds 64");
  // Another worker may have room for one that began elsewhere.
  GenerationRequest continues = Request(65, 1);
  continues.answer_tokens = 3;
  expect(continues, StatusCode::kUnavailable, "may take 65 tokens");
  EXPECT_TRUE(first_->frames.empty());
  EXPECT_FALSE(Submit(2, Request(64, 1))->finished);  // Just fits.
}

TEST_F(DenseCoreTest, ADefaultLengthIsCutToTheCache) {
  Start(4);  // 64 tokens.
  LinkOne();
  GenerationRequest request = Request(62, 400);
  request.shorten_to_cache = true;
  const auto sink = Submit(1, request);
  // The last token is never fed, so three fit.
  for (int token = 5; token < 8; ++token) Round(token);
  EXPECT_EQ(sink->text, "d>e1 0:5 1:6 2:7 end");
  EXPECT_EQ(sink->result.cause, FinishCause::kLength);
  first_->Take<ReleaseSequences>();
  // If not even one token fits, the request is refused.
  request = Request(65, 400);
  request.shorten_to_cache = true;
  const auto refused = Submit(2, request);
  EXPECT_EQ(refused->code(), StatusCode::kFailedPrecondition);
  EXPECT_TRUE(refused->Says("take 65 tokens, but the cache holds 64"));
}

}  // namespace
}  // namespace apollo

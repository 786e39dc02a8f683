#include <gtest/gtest.h>

#include "dense_worker/dense_core_fixture.h"

namespace apollo {
namespace {

using absl::StatusCode;

TEST_F(DenseCoreTest, InvalidAnswersFailTheSequence) {
  options_.scheduler.token_budget = 8;
  const auto expect = [this](const GenerationRequest& request, auto change) {
    Start();
    LinkOne();
    const auto sink = Submit(1, request);
    core_->Advance();
    StageResult result = Answer(first_->Take<StageStep>(), 5);
    change(result.outputs.at(0));
    Reply(result);
    EXPECT_EQ(sink->text, "d>e1 error");
    EXPECT_EQ(sink->code(), StatusCode::kInternal) << sink->status;
    EXPECT_EQ(Counters().used_blocks, 0);
    first_->frames.clear();
  };
  const GenerationRequest one_step = Request(8, 4), two_steps = Request(12, 4);
  expect(one_step, [](SequenceOutput& o) { ++o.position; });
  expect(one_step, [](SequenceOutput& o) { o.position = -1; });
  expect(one_step, [](SequenceOutput& o) { o.sampled.reset(); });
  expect(one_step, [](SequenceOutput& o) { o.sampled->token = 260; });
  expect(one_step, [](SequenceOutput& o) { o.sampled->token = -1; });
  // A token before the end of the prompt, even at the position it would have.
  expect(two_steps, [](SequenceOutput& o) { o.sampled = TokenLogprob{5, -1}; });
  expect(two_steps, [](SequenceOutput& o) {
    o.sampled = TokenLogprob{5, -1};
    o.position = 11;
  });
  GenerationRequest score = Request(9, 0);
  score.score_tokens = 2;
  expect(score, [](SequenceOutput& o) { o.score_logprobs.resize(3); });
  expect(score, [](SequenceOutput& o) { o.score_logprobs.resize(1); });
}

TEST_F(DenseCoreTest, ErrorsOfTheExpertWorkerArePassedOn) {
  Start();
  LinkOne();
  const auto sink = Submit(1, Request(3, 2));
  core_->Advance();
  StageResult result = Answer(first_->Take<StageStep>(), 5);
  result.outputs[0].status = absl::ResourceExhaustedError("full");
  Reply(result);
  EXPECT_EQ(sink->status, absl::ResourceExhaustedError("full"));
  first_->Take<ReleaseSequences>();
}

TEST_F(DenseCoreTest, OutputsOfOtherAttemptsOrWorkersAreDropped) {
  Start();
  LinkBoth();
  const auto sink = Submit(1, Request(3, 2, 0));
  const auto other = Submit(2, Request(3, 2, 5));
  core_->Advance();
  StageResult first = Answer(first_->Take<StageStep>(), 5);
  StageResult second = Answer(second_->Take<StageStep>(), 6);
  second.outputs.push_back(first.outputs[0]);  // A sequence of another worker.
  ++first.outputs[0].attempt;
  Reply(second, kSecond);
  Reply(first, kFirst);
  EXPECT_EQ(sink->text,
            "d>e1 error");  // The expected answer did not come.
  EXPECT_EQ(sink->code(), StatusCode::kInternal);
  EXPECT_EQ(other->text, "d>e2 0:6");
}

TEST_F(DenseCoreTest, ASequenceMissingFromAnAnswerFailsAndTheOthersContinue) {
  Start();
  LinkOne();
  const auto left_out = Submit(1, Request(3, 2));
  const auto other = Submit(2, Request(3, 2));
  core_->Advance();
  StageResult result = Answer(first_->Take<StageStep>(), 5);
  ASSERT_EQ(result.outputs.size(), 2u);
  result.outputs.erase(result.outputs.begin());
  Reply(result);
  EXPECT_EQ(left_out->text, "d>e1 error");
  EXPECT_EQ(left_out->code(), StatusCode::kInternal);
  EXPECT_TRUE(left_out->Says("does not contain the sequence"));
  EXPECT_EQ(first_->Take<ReleaseSequences>().items.at(0).sequence, 1u);
  Round(6);
  EXPECT_EQ(other->text, "d>e1 0:5 1:6 end");
}

TEST_F(DenseCoreTest, AnswersToStepsThatWereNotSentCloseTheLink) {
  for (const int kind : {0, 1, 2}) {
    Start();
    first_ = std::make_shared<FakeLink>();
    LinkOne();
    const auto sink = Submit(1, Request(3, 2));
    core_->Advance();
    const StageResult result = Answer(first_->Take<StageStep>(), 5);
    if (kind == 0) Reply({result.step + 1, {}});
    if (kind == 1) core_->LinkFrame(kFirst, {Reach{}, {}});
    if (kind == 2) {
      Reply(result);
      EXPECT_FALSE(first_->closed);
      Reply(result);
      EXPECT_EQ(sink->text, "d>e1 0:5");
    }
    EXPECT_TRUE(first_->closed) << kind;
    core_->LinkDown(kFirst);
    EXPECT_EQ(sink->code(), StatusCode::kUnavailable);
  }
}

}  // namespace
}  // namespace apollo

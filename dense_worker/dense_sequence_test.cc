#include "dense_worker/dense_sequence.h"

#include <gtest/gtest.h>

#include "dense_worker/dense_core_fixture.h"

namespace apollo {
namespace {

using Kind = DenseSequence::Verdict::Kind;

class DenseSequenceTest : public testing::Test {
 protected:
  DenseSequence Make(const GenerationRequest& request) {
    return DenseSequence(5, request, kFirst, sink_, TinyConfig());
  }
  // Feeds all known tokens from a position.
  static SequenceRows Feed(DenseSequence& sequence, int first = 0) {
    const int rows = static_cast<int>(sequence.fed_tokens().size()) - first;
    return sequence.Feed({sequence.id(), first, rows, 0, true});
  }
  static SequenceOutput AnswerTo(const SequenceRows& rows, int token) {
    return Answer({1, {rows}}, token).outputs.at(0);
  }

  std::shared_ptr<FakeSink> sink_ = std::make_shared<FakeSink>();
};

TEST_F(DenseSequenceTest, GoesThroughItsStates) {
  DenseSequence sequence = Make(Request(20, 9));
  EXPECT_EQ(sequence.state(), SequenceState::kWaiting);
  sequence.Admit();
  EXPECT_EQ(sequence.state(), SequenceState::kFeeding);
  SequenceRows rows = sequence.Feed({5, 0, 12, 0, false});
  EXPECT_FALSE(rows.sample);
  EXPECT_EQ(sequence.state(), SequenceState::kFeeding);
  EXPECT_EQ(sequence.Take(AnswerTo(rows, 0)).kind, Kind::kGoesOn);
  rows = Feed(sequence, 12);
  EXPECT_TRUE(rows.sample);
  EXPECT_EQ(sequence.state(), SequenceState::kAwaiting);
  EXPECT_EQ(sequence.Take(AnswerTo(rows, 60)).kind, Kind::kToken);
  EXPECT_EQ(sequence.state(), SequenceState::kFeeding);
  sequence.Preempt();
  EXPECT_EQ(sequence.state(), SequenceState::kWaiting);
  sequence.Admit();
  EXPECT_EQ(Feed(sequence).tokens.size(), 21u);
  sequence.Hold();
  EXPECT_EQ(sequence.state(), SequenceState::kHeld);
  sequence.LetGo();
  EXPECT_EQ(sequence.state(), SequenceState::kWaiting);
  sequence.Finish(absl::CancelledError(""));
  EXPECT_EQ(sequence.state(), SequenceState::kOver);
  EXPECT_EQ(sink_->text, " 0:60 error");
}

TEST_F(DenseSequenceTest, ANewAttemptForgetsComputedRowsButNoTokens) {
  DenseSequence sequence = Make(Request(4, 3));
  sequence.Admit();
  sequence.Take(AnswerTo(Feed(sequence), 60));
  sequence.SetPublished(1);
  EXPECT_EQ(sequence.attempt(), 1u);
  sequence.Preempt();
  EXPECT_EQ(sequence.attempt(), 2u);
  EXPECT_EQ(sequence.published(), 0);
  sequence.Admit();
  sequence.Take(AnswerTo(Feed(sequence), 61));
  const DenseSequence::Verdict verdict =
      sequence.Take(AnswerTo(Feed(sequence, 5), 62));
  ASSERT_EQ(verdict.kind, Kind::kOver);
  EXPECT_EQ(sink_->text, " 0:60 1:61 2:62");
  EXPECT_EQ(verdict.result->expert_use.at(0).tokens_by_expert[3], 6u);
}

TEST_F(DenseSequenceTest, AnUnrequestedTokenFailsIt) {
  // Even at the position that it would have.
  for (const int position : {-1, 0, 11}) {
    DenseSequence sequence = Make(Request(20, 9));
    sequence.Admit();
    SequenceOutput output = AnswerTo(sequence.Feed({5, 0, 12, 0, false}), 60);
    output.sampled = TokenLogprob{60, -0.5f};
    output.position = position;
    const DenseSequence::Verdict verdict = sequence.Take(output);
    ASSERT_EQ(verdict.kind, Kind::kOver) << position;
    EXPECT_EQ(verdict.result.status().code(), absl::StatusCode::kInternal);
  }
  EXPECT_EQ(sink_->text, "");
}

// The tokens with their positions, from all pieces.
std::string Scored(const FakeSink& sink) {
  std::string text;
  for (const PromptLogprobs& piece : sink.prompts) {
    int position = piece.index;
    for (const PromptLogprobs::Token& token : piece.tokens) {
      EXPECT_EQ(token.logprob, -static_cast<float>(token.token));
      absl::StrAppend(&text, " ", position++, ":", token.token);
    }
  }
  return text;
}

TEST_F(DenseSequenceTest, PromptLogprobsCoverAllTokensButTheFirst) {
  GenerationRequest request = Request(0, 2);
  request.prompt = {10, 11, 12, 13, 14};
  request.prompt_logprobs = 0;
  DenseSequence sequence = Make(request);
  sequence.Admit();
  SequenceRows rows = sequence.Feed({5, 0, 2, 0, false});
  EXPECT_EQ(rows.score_targets, (std::vector<std::int32_t>{11, 12}));
  EXPECT_EQ(rows.unscored_rows, 0);
  EXPECT_EQ(rows.start->score_alternatives, 0);
  // Fed before the answer to the first part has come.
  const SequenceRows last = Feed(sequence, 2);
  EXPECT_EQ(last.score_targets, (std::vector<std::int32_t>{13, 14}));
  EXPECT_EQ(last.unscored_rows, 1);
  EXPECT_TRUE(last.sample);
  EXPECT_EQ(sequence.Take(AnswerTo(rows, 0)).kind, Kind::kGoesOn);
  EXPECT_EQ(Scored(*sink_), " 1:11 2:12");
  EXPECT_EQ(sequence.Take(AnswerTo(last, 60)).kind, Kind::kToken);
  EXPECT_EQ(Scored(*sink_), " 1:11 2:12 3:13 4:14");
  // The rows of the answer have none.
  rows = Feed(sequence, 5);
  EXPECT_TRUE(rows.score_targets.empty());
  EXPECT_EQ(rows.unscored_rows, 0);
  EXPECT_EQ(sequence.Take(AnswerTo(rows, 61)).kind, Kind::kOver);
  EXPECT_EQ(sink_->prompts.size(), 2u);
}

TEST_F(DenseSequenceTest, ANewAttemptDoesNotScoreThePromptAgain) {
  GenerationRequest request = Request(0, 5);
  request.prompt = {10, 11, 12, 13, 14};
  request.prompt_logprobs = 0;
  DenseSequence sequence = Make(request);
  sequence.Admit();
  sequence.Take(AnswerTo(sequence.Feed({5, 0, 2, 0, false}), 0));
  sequence.Preempt();
  sequence.Admit();
  // Larger parts than before, so that the first has scored rows.
  SequenceRows rows = sequence.Feed({5, 0, 4, 0, false});
  EXPECT_EQ(rows.score_targets, (std::vector<std::int32_t>{13, 14}));
  EXPECT_EQ(rows.unscored_rows, 0);
  sequence.Take(AnswerTo(rows, 0));
  sequence.Take(AnswerTo(Feed(sequence, 4), 60));
  EXPECT_EQ(Scored(*sink_), " 1:11 2:12 3:13 4:14");
  sequence.Preempt();
  sequence.Admit();
  rows = Feed(sequence);
  EXPECT_EQ(rows.tokens.size(), 6u);
  EXPECT_TRUE(rows.score_targets.empty());
  EXPECT_EQ(sequence.Take(AnswerTo(rows, 61)).kind, Kind::kToken);
  EXPECT_EQ(Scored(*sink_), " 1:11 2:12 3:13 4:14");
}

TEST_F(DenseSequenceTest, PromptLogprobsHaveTheirAlternativesInSmallPieces) {
  GenerationRequest request = Request(400, 1);
  request.prompt_logprobs = 2;
  DenseSequence sequence = Make(request);
  sequence.Admit();
  const SequenceRows rows = Feed(sequence);
  EXPECT_EQ(rows.start->score_alternatives, 2);
  SequenceOutput output = AnswerTo(rows, 60);
  for (int i = 0; i < 399 * 2; ++i) {
    output.score_alternatives.push_back({i % 260, -1});
  }
  sequence.Take(output);
  ASSERT_EQ(sink_->prompts.size(), 2u);
  EXPECT_EQ(sink_->prompts[0].tokens.size(), DenseSequence::kMaxPromptPiece);
  EXPECT_EQ(sink_->prompts[1].index, 257);
  EXPECT_EQ(sink_->prompts[1].tokens.size(), 399u - 256);
  EXPECT_EQ(sink_->prompts[0].tokens[1].alternatives,
            (std::vector<TokenLogprob>{{2, -1}, {3, -1}}));
}

TEST_F(DenseSequenceTest, OtherPromptLogprobsThanRequestedFailIt) {
  const auto expect_broken = [this](auto change) {
    GenerationRequest request = Request(5, 2);
    request.prompt_logprobs = 1;
    DenseSequence sequence = Make(request);
    sequence.Admit();
    SequenceOutput output = AnswerTo(Feed(sequence), 60);
    output.score_alternatives.resize(4);
    change(output);
    const DenseSequence::Verdict verdict = sequence.Take(output);
    ASSERT_EQ(verdict.kind, Kind::kOver);
    EXPECT_EQ(verdict.result.status().code(), absl::StatusCode::kInternal);
  };
  expect_broken([](SequenceOutput& o) { o.score_logprobs.resize(3); });
  expect_broken([](SequenceOutput& o) { o.score_logprobs.resize(5); });
  expect_broken([](SequenceOutput& o) { o.score_alternatives.resize(3); });
  expect_broken([](SequenceOutput& o) { o.score_alternatives.clear(); });
  EXPECT_TRUE(sink_->prompts.empty());
}

TEST_F(DenseSequenceTest, APromptOfOneTokenHasNoLogprobs) {
  GenerationRequest request = Request(1, 1);
  request.prompt_logprobs = 3;
  DenseSequence sequence = Make(request);
  sequence.Admit();
  const SequenceRows rows = Feed(sequence);
  EXPECT_TRUE(rows.score_targets.empty());
  EXPECT_EQ(sequence.Take(AnswerTo(rows, 60)).kind, Kind::kOver);
  EXPECT_TRUE(sink_->prompts.empty());
}

TEST_F(DenseSequenceTest, TheSinkIsToldOfTheStartOnce) {
  DenseSequence sequence = Make(Request(4, 3));
  EXPECT_TRUE(sequence.Start({"d", "e1", 0}));
  EXPECT_FALSE(sequence.Start({"d", "e2", 0}));
  EXPECT_EQ(sink_->text, "d>e1");
}

TEST_F(DenseSequenceTest, AMoveBeginsANewAttemptThatKeepsItsBlocks) {
  DenseSequence sequence = Make(Request(4, 3));
  sequence.MoveTo(kSecond);  // It has computed nothing.
  EXPECT_EQ(sequence.worker(), kSecond);
  EXPECT_EQ(sequence.attempt(), 1u);
  sequence.Admit();
  sequence.Take(AnswerTo(Feed(sequence), 60));
  sequence.SetPublished(1);
  const SequenceRows late = Feed(sequence, 4);
  EXPECT_EQ(sequence.state(), SequenceState::kAwaiting);
  sequence.MoveTo(kFirst);
  EXPECT_EQ(sequence.state(), SequenceState::kFeeding);
  EXPECT_EQ(sequence.attempt(), 2u);
  EXPECT_EQ(sequence.published(), 1);
  const SequenceRows again = Feed(sequence);
  EXPECT_EQ(again.tokens.size(), 5u);
  EXPECT_TRUE(again.start.has_value());
  EXPECT_TRUE(again.sample);
  EXPECT_EQ(sequence.Take(AnswerTo(again, 61)).kind, Kind::kToken);
  EXPECT_EQ(sink_->text, " 0:60 1:61");
  // A held sequence is let go.
  Feed(sequence, 5);
  sequence.Hold();
  sequence.MoveTo(kSecond);
  EXPECT_EQ(sequence.state(), SequenceState::kWaiting);
}

TEST_F(DenseSequenceTest, PausesGrowUntilSomethingIsComputed) {
  DenseSequence sequence = Make(Request(4, 3));
  sequence.Admit();
  const SequenceRows rows = Feed(sequence);
  EXPECT_EQ(sequence.NextPause(), DenseSequence::kFirstPause);
  EXPECT_EQ(sequence.NextPause(), 2 * DenseSequence::kFirstPause);
  for (int i = 0; i < 10; ++i) sequence.NextPause();
  EXPECT_EQ(sequence.NextPause(), DenseSequence::kLongestPause);
  SequenceOutput output = AnswerTo(rows, 60);
  output.status = absl::AbortedError("no room");
  EXPECT_EQ(sequence.Take(output).kind, Kind::kNoRoom);
  EXPECT_EQ(sequence.NextPause(), DenseSequence::kLongestPause);
  sequence.Take(AnswerTo(rows, 60));
  EXPECT_EQ(sequence.NextPause(), DenseSequence::kFirstPause);
}

using DenseSequenceDeathTest = DenseSequenceTest;

TEST_F(DenseSequenceDeathTest, AnEventThatNeverHappensIsABrokenInvariant) {
  DenseSequence sequence = Make(Request(4, 3));
  EXPECT_DEATH(sequence.Preempt(), "");
  EXPECT_DEATH(sequence.LetGo(), "");
  EXPECT_DEATH(Feed(sequence), "");
  sequence.Admit();
  EXPECT_DEATH(sequence.Admit(), "");
  EXPECT_DEATH(sequence.LetGo(), "");
}

TEST(FirstNeededTest, IsTheFirstRowForWhichSomethingIsAsked) {
  GenerationRequest request;
  request.prompt.assign(40, 7);
  EXPECT_EQ(FirstNeeded(request, 40), 39);
  EXPECT_EQ(FirstNeeded(request, 45), 44);
  request.prompt_logprobs = 0;
  EXPECT_EQ(FirstNeeded(request, 40), 0);
  EXPECT_EQ(FirstNeeded(request, 40, 20), 20);
  EXPECT_EQ(FirstNeeded(request, 45, 39), 44);  // All are there.
  request.prompt_logprobs.reset();
  request.answer_tokens = 10;
  request.sampling.frequency_penalty = 0.5f;
  EXPECT_EQ(FirstNeeded(request, 40), 30);
  request = {};
  request.prompt.assign(40, 7);
  request.score_tokens = 5;
  EXPECT_EQ(FirstNeeded(request, 40), 34);
  request.score_tokens = 39;
  EXPECT_EQ(FirstNeeded(request, 40), 0);
}

}  // namespace
}  // namespace apollo

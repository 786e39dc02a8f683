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

TEST_F(DenseSequenceTest, TheSinkIsToldOfTheStartOnce) {
  DenseSequence sequence = Make(Request(4, 3));
  EXPECT_TRUE(sequence.Start({"d", "e1", 0}));
  EXPECT_FALSE(sequence.Start({"d", "e2", 0}));
  EXPECT_EQ(sink_->text, "d>e1");
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
  EXPECT_DEATH(sequence.MoveTo(kSecond), "");
}

}  // namespace
}  // namespace apollo

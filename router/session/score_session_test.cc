#include "router/session/score_session.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "router/session/session_fixture.h"

namespace apollo {
namespace {

class ScoreSessionTest : public SessionTest {};

void GiveScores(ScriptedSequence& sequence, std::vector<float> logprobs) {
  sequence.Finish(
      GenerationFinished{FinishCause::kScored, {}, std::move(logprobs)});
}

TEST_F(ScoreSessionTest, NamesTheBestAndTheLowestIndexAmongEquals) {
  KeepingScoreWriter writer;
  const auto session = SessionTest::Score({"##", "#", "\"\""}, writer);
  ASSERT_EQ(backend_->sequences().size(), 3u);
  EXPECT_EQ(Sequence(0).request.prompt.size(), 4u);
  EXPECT_EQ(Sequence(0).request.score_tokens, 2);
  Sequence(2).Started();
  // In any order.
  GiveScores(Sequence(2), {-1, -1});
  GiveScores(Sequence(1), {-2});
  EXPECT_FALSE(writer.result.has_value());
  GiveScores(Sequence(0), {-2, -2});
  ASSERT_TRUE(writer.result.has_value());
  EXPECT_EQ(writer.result->best, 1);
  ASSERT_EQ(writer.result->scores.size(), 3u);
  EXPECT_EQ(writer.result->scores[0].logprob, -4);
  EXPECT_EQ(writer.result->scores[0].token_logprobs,
            (std::vector<float>{-2, -2}));
  EXPECT_EQ(writer.result->scores[1].tokens, (std::vector<std::int32_t>{2}));
  EXPECT_EQ(writer.result->started.request_id, "mine");
  EXPECT_EQ(writer.result->started.prompt_tokens, 2);
  EXPECT_EQ(writer.result->started.dense_worker, "dense-0");
  ASSERT_TRUE(writer.ended.has_value());
  EXPECT_TRUE(writer.ended->ok());
}

TEST_F(ScoreSessionTest, OneErrorFailsTheCallAndCancelsTheRest) {
  KeepingScoreWriter writer;
  const auto session = SessionTest::Score({"aa", "a", "bb"}, writer);
  Sequence(1).Finish(absl::UnavailableError("the expert worker is gone"));
  ASSERT_TRUE(writer.ended.has_value());
  EXPECT_EQ(*writer.ended, absl::UnavailableError("the expert worker is gone"));
  EXPECT_TRUE(Sequence(0).cancelled());
  EXPECT_TRUE(Sequence(2).cancelled());
  EXPECT_FALSE(writer.result.has_value());
}

TEST_F(ScoreSessionTest, AMissingScoreIsAnInternalError) {
  KeepingScoreWriter writer;
  const auto session = SessionTest::Score({"aa", "bb"}, writer);
  GiveScores(Sequence(0), {-1});
  ASSERT_TRUE(writer.ended.has_value());
  EXPECT_EQ(writer.ended->code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(Sequence(1).cancelled());
}

TEST_F(ScoreSessionTest, RefusesWhatDoesNotFitIntoTheContext) {
  KeepingScoreWriter writer;
  const auto session = SessionTest::Score({"a", std::string(511, 'a')}, writer);
  ASSERT_TRUE(writer.ended.has_value());
  EXPECT_EQ(writer.ended->code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(backend_->sequences().empty());
}

}  // namespace
}  // namespace apollo

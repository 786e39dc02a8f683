#include "engine/cuda/token_questions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/sampler.h"

namespace apollo::cuda {
namespace {

using Rows32 = std::vector<std::int32_t>;

const Rows32 kTargets = {7, 8, 9};
const TokenCounts kGenerated = {{3, 2}, {5, 1}};
const std::vector<int> kLastRows = {9, 12};

// Slice 0 scores its last three rows, slice 1 samples.
std::vector<TokenRequest> Requests() {
  TokenRequest score, sample;
  score.slice = 0;
  score.score_targets = kTargets;
  sample.slice = 1;
  sample.sample = true;
  sample.generated = &kGenerated;
  sample.position = 40;
  sample.top_logprobs = 2;
  sample.sampling = {0.5f, 0.9f, 11, 1234, 0.25f, 0};
  return {score, sample};
}

std::vector<Rows32> RowsOfPieces(const TokenQuestions& questions) {
  std::vector<Rows32> rows;
  for (const auto& piece : questions.pieces()) {
    const auto part = questions.rows().subspan(piece.first, piece.count);
    rows.emplace_back(part.begin(), part.end());
  }
  return rows;
}

TEST(TokenQuestionsTest, RowsPrecedeTheirTokens) {
  const TokenQuestions questions(Requests(), kLastRows, {16, 16});
  EXPECT_EQ(RowsOfPieces(questions), (std::vector<Rows32>{{7, 8, 9, 12}}));
  EXPECT_EQ(questions.requests()[0].target, 7);
  EXPECT_EQ(questions.requests()[2].target, 9);
  const SampleRequest& sample = questions.requests()[3];
  EXPECT_EQ(sample.target, -1);
  EXPECT_EQ(sample.temperature, 0.5f);
  EXPECT_EQ(sample.top_p, 0.9f);
  EXPECT_EQ(sample.top_k, 11);
  EXPECT_EQ(sample.uniform, UniformAt(1234, 40));
  EXPECT_EQ(sample.presence_penalty, 0.25f);
  EXPECT_EQ(sample.alternatives, 2);
  ASSERT_EQ(sample.adjustments, 2);
  EXPECT_EQ(questions.adjustments()[1].token, 5);
  EXPECT_EQ(questions.adjustments()[0].count, 2);
}

TEST(TokenQuestionsTest, TokensWithoutPenaltiesBringNone) {
  std::vector<TokenRequest> requests = Requests();
  requests[1].sampling.presence_penalty = 0;
  const TokenQuestions questions(requests, kLastRows, {16, 16});
  EXPECT_TRUE(questions.adjustments().empty());
  requests[1].sampling.frequency_penalty = 1;
  EXPECT_EQ(TokenQuestions(requests, kLastRows, {16, 16}).adjustments().size(),
            2u);
}

TEST(TokenQuestionsTest, ABiasAndPenaltiesOfATokenAreOneAdjustment) {
  std::vector<TokenRequest> requests = Requests();
  requests[1].sampling.logit_bias = {{1, -100}, {5, 2.5f}};
  const TokenQuestions both(requests, kLastRows, {16, 16});
  ASSERT_EQ(both.requests()[3].adjustments, 3);
  const auto adjustments = both.adjustments();
  EXPECT_EQ(adjustments[0].token, 1);
  EXPECT_EQ(adjustments[0].count, 0);
  EXPECT_EQ(adjustments[0].bias, -100);
  EXPECT_EQ(adjustments[1].token, 5);
  EXPECT_EQ(adjustments[1].count, 1);
  EXPECT_EQ(adjustments[1].bias, 2.5f);
  EXPECT_EQ(adjustments[2].token, 3);
  EXPECT_EQ(adjustments[2].count, 2);
  EXPECT_EQ(adjustments[2].bias, 0);
  requests[1].sampling.presence_penalty = 0;
  const TokenQuestions bias(requests, kLastRows, {16, 16});
  ASSERT_EQ(bias.requests()[3].adjustments, 2);
  EXPECT_EQ(bias.adjustments()[1].count, 0);
}

TEST(TokenQuestionsTest, MinPIsADistanceOfLogits) {
  std::vector<TokenRequest> requests = Requests();
  EXPECT_EQ(
      TokenQuestions(requests, kLastRows, {16, 16}).requests()[3].min_p_margin,
      -std::numeric_limits<double>::infinity());
  requests[1].sampling.min_p = 0.25f;
  EXPECT_NEAR(
      TokenQuestions(requests, kLastRows, {16, 16}).requests()[3].min_p_margin,
      0.5 * std::log(0.25), 1e-12);
}

TEST(TokenQuestionsTest, ScoresMayLeaveOutRowsAndHaveAlternatives) {
  std::vector<TokenRequest> requests = Requests();
  requests[0].unscored_rows = 1;
  requests[0].score_alternatives = 2;
  const TokenQuestions questions(requests, kLastRows, {16, 16});
  EXPECT_EQ(RowsOfPieces(questions), (std::vector<Rows32>{{6, 7, 8, 12}}));
  EXPECT_EQ(questions.requests()[0].alternatives, 2);
  std::vector<SampleResult> results(4);
  for (int i = 0; i < 4; ++i) {
    results[i].count = 2;
    results[i].tokens[0] = i;
    results[i].logprobs[1] = static_cast<float>(-i);
  }
  std::vector<SliceOutcome> outcomes(2);
  questions.Answer(results, outcomes);
  ASSERT_EQ(outcomes[0].score_alternatives.size(), 6u);
  EXPECT_EQ(outcomes[0].score_alternatives[2], (TokenLogprob{1, 0}));
  EXPECT_EQ(outcomes[0].score_alternatives[5], (TokenLogprob{0, -2}));
  EXPECT_TRUE(outcomes[1].score_alternatives.empty());
}

TEST(TokenQuestionsTest, PiecesKeepTheLimits) {
  const TokenQuestions questions(Requests(), kLastRows, {2, 16});
  EXPECT_EQ(RowsOfPieces(questions), (std::vector<Rows32>{{7, 8}, {9, 12}}));
  // Penalties are counted from the beginning of the piece.
  std::vector<TokenRequest> requests(3, Requests()[1]);
  for (int i = 0; i < 3; ++i) requests[i].slice = i;
  const TokenQuestions many(requests, std::vector<int>{0, 1, 2}, {16, 5});
  ASSERT_EQ(many.pieces().size(), 2u);
  EXPECT_EQ(many.pieces()[0].count, 2);
  EXPECT_EQ(many.pieces()[1].first, 2);
  EXPECT_EQ(many.pieces()[1].first_adjustment, 4);
  EXPECT_EQ(many.pieces()[1].adjustments, 2);
  EXPECT_EQ(many.requests()[1].first_adjustment, 2);
  EXPECT_EQ(many.requests()[2].first_adjustment, 0);
  EXPECT_TRUE(TokenQuestions({}, {}, {2, 2}).pieces().empty());
}

TEST(TokenQuestionsTest, AnswersGoToTheirSlices) {
  const TokenQuestions questions(Requests(), kLastRows, {16, 16});
  std::vector<SampleResult> results(4);
  for (int i = 0; i < 4; ++i) results[i].logprob = static_cast<float>(-1 - i);
  results[3].token = 6;
  results[3].count = 2;
  results[3].tokens[1] = 4;
  results[3].logprobs[1] = -9;
  std::vector<SliceOutcome> outcomes(2);
  questions.Answer(results, outcomes);
  EXPECT_EQ(outcomes[0].score_logprobs, (std::vector<float>{-1, -2, -3}));
  EXPECT_FALSE(outcomes[0].sampled.has_value());
  ASSERT_TRUE(outcomes[1].sampled.has_value());
  EXPECT_EQ(outcomes[1].sampled->token, 6);
  EXPECT_EQ(outcomes[1].sampled->logprob, -4);
  ASSERT_EQ(outcomes[1].sampled->alternatives.size(), 2u);
  EXPECT_EQ(outcomes[1].sampled->alternatives[1], (TokenLogprob{4, -9}));
  EXPECT_TRUE(outcomes[1].score_logprobs.empty());
}

TEST(TokenQuestionsTest, LogitsThatAreNotFiniteGiveNoResult) {
  const TokenQuestions questions(Requests(), kLastRows, {16, 16});
  std::vector<SampleResult> results(4);
  results[1].logprob = std::numeric_limits<float>::quiet_NaN();
  std::vector<SliceOutcome> outcomes(2);
  questions.Answer(results, outcomes);
  EXPECT_FALSE(outcomes[0].finite);
  EXPECT_TRUE(outcomes[0].score_logprobs.empty());
  EXPECT_TRUE(outcomes[1].finite);
  EXPECT_TRUE(outcomes[1].sampled.has_value());
}

}  // namespace
}  // namespace apollo::cuda

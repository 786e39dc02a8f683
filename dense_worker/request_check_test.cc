#include "dense_worker/request_check.h"

#include <gtest/gtest.h>

#include <climits>
#include <string>

#include "dense_worker/dense_core_fixture.h"

namespace apollo {
namespace {

void ExpectRefused(const GenerationRequest& request, const std::string& part) {
  const absl::Status status = CheckRequest(request, TinyConfig());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(status.message()).find(part), std::string::npos)
      << status;
}

TEST(RequestCheckTest, PromptsAndLengths) {
  EXPECT_TRUE(CheckRequest(Request(3, 1), TinyConfig()).ok());
  EXPECT_TRUE(CheckRequest(Request(500, 13), TinyConfig()).ok());
  ExpectRefused(Request(0, 1), "no tokens");
  ExpectRefused(Request(3, 0), "nothing to generate");
  ExpectRefused(Request(3, -1), "nothing to generate");
  ExpectRefused(Request(500, 14), "the context has 512");
  ExpectRefused(Request(3, INT_MAX), "the context has 512");
  for (const std::int32_t token : {-1, 260}) {
    GenerationRequest request = Request(3, 1);
    request.prompt[1] = token;
    ExpectRefused(request, "vocabulary of 260");
  }
}

TEST(RequestCheckTest, Scores) {
  GenerationRequest request = Request(3, 0);
  request.score_tokens = 2;
  EXPECT_TRUE(CheckRequest(request, TinyConfig()).ok());
  for (const int score : {3, -1}) {
    request.score_tokens = score;
    ExpectRefused(request, "score");
  }
}

TEST(RequestCheckTest, AnAnswerBegunElsewhereHasAPrompt) {
  GenerationRequest request = Request(6, 2);
  request.answer_tokens = 5;
  EXPECT_TRUE(CheckRequest(request, TinyConfig()).ok());
  for (const int answer : {-1, 6, INT_MAX}) {
    request.answer_tokens = answer;
    ExpectRefused(request, "must be from 0 to 5");
  }
  GenerationRequest scored = Request(6, 0);
  scored.answer_tokens = scored.score_tokens = 1;
  ExpectRefused(scored, "must be from 0 to 0");
}

TEST(RequestCheckTest, ADenseModelHasNoFamilies) {
  ModelConfig config = TinyConfig();
  config.num_experts = 0;
  GenerationRequest request = Request(3, 1);
  EXPECT_TRUE(CheckRequest(request, config).ok());
  request.hybrid = true;
  EXPECT_EQ(CheckRequest(request, config).message(),
            "family is -1 and hybrid routing on; they must be -1 and off, "
            "because the model has no experts");
  request.hybrid = false;
  request.family = 0;
  EXPECT_EQ(CheckRequest(request, config).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(RequestCheckTest, Ranges) {
  for (const int family : {-2, 7}) {
    ExpectRefused(Request(3, 1, family), "family");
  }
  GenerationRequest hybrid = Request(3, 1);
  hybrid.hybrid = true;
  ExpectRefused(hybrid, "family");
  hybrid.family = 6;
  EXPECT_TRUE(CheckRequest(hybrid, TinyConfig()).ok());
  for (const int priority : {-101, 101, INT_MIN}) {
    GenerationRequest ranked = Request(3, 1);
    ranked.priority = priority;
    ExpectRefused(ranked, "it must be from -100 to 100");
  }
  for (const int logprobs : {-1, 21, INT_MAX}) {
    GenerationRequest curious = Request(3, 1);
    curious.top_logprobs = logprobs;
    ExpectRefused(curious, "it must be from 0 to 20");
  }
}

TEST(RequestCheckTest, PromptLogprobs) {
  GenerationRequest request = Request(6, 2);
  for (const int alternatives : {0, 20}) {
    request.prompt_logprobs = alternatives;
    EXPECT_TRUE(CheckRequest(request, TinyConfig()).ok());
  }
  for (const int alternatives : {-1, 21}) {
    request.prompt_logprobs = alternatives;
    ExpectRefused(request, "prompt_logprobs is");
  }
  request.prompt_logprobs = 0;
  request.answer_tokens = 2;
  ExpectRefused(request, "prompt_logprobs is set");
  request.answer_tokens = 0;
  request.score_tokens = 2;
  ExpectRefused(request, "prompt_logprobs is set");
}

TEST(RequestCheckTest, ABiasIsOfTokensOfTheVocabulary) {
  GenerationRequest request = Request(3, 1);
  request.sampling.logit_bias = {{0, 1}, {259, 1}};
  EXPECT_TRUE(CheckRequest(request, TinyConfig()).ok());
  request.sampling.logit_bias.push_back({260, 1});
  ExpectRefused(request, "sampling.logit_bias");
}

TEST(RequestCheckTest, TheLastTokenIsNeverFed) {
  EXPECT_EQ(MaxPositions(Request(5, 3)), 7);
  GenerationRequest score = Request(5, 0);
  score.score_tokens = 2;
  EXPECT_EQ(MaxPositions(score), 4);
}

TEST(RequestCheckTest, OnlyADefaultLengthIsCut) {
  GenerationRequest request = Request(62, 400);
  ShortenToCache(request, 64);
  EXPECT_EQ(request.max_new_tokens, 400);
  request.shorten_to_cache = true;
  ShortenToCache(request, 64);
  EXPECT_EQ(request.max_new_tokens, 3);
  ShortenToCache(request, 10);  // Not even one token fits.
  EXPECT_EQ(request.max_new_tokens, 1);
}

}  // namespace
}  // namespace apollo

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "router/grpc/scripted_cluster.h"

namespace apollo {
namespace {

using Where = ScriptedBackend::Where;

class ScoreCallTest : public ScriptedClusterTest {
 protected:
  grpc::Status Score(const std::vector<std::string>& continuations,
                     v1::ScoreResponse* response,
                     const std::string& tenant = "") {
    v1::ScoreRequest request;
    request.set_prompt("Q:");
    request.set_request_id("mine");
    for (const std::string& text : continuations)
      request.add_continuations(text);
    grpc::ClientContext context;
    if (!tenant.empty()) context.AddMetadata("test-tenant", tenant);
    return stub_->Score(&context, request, response);
  }
};

GenerationFinished Scored(std::vector<float> logprobs) {
  return {FinishCause::kScored, {}, std::move(logprobs)};
}

// Scores each token with minus its id.
void ScoreById(ScriptedSequence& s) {
  s.Started();
  std::vector<float> logprobs;
  for (auto id = s.request.prompt.end() - s.request.score_tokens;
       id != s.request.prompt.end(); ++id) {
    logprobs.push_back(-static_cast<float>(*id));
  }
  s.Finish(Scored(logprobs));
}

TEST_F(ScoreCallTest, ScoresEachContinuationAndNamesTheBest) {
  for (const Where where : {Where::kThread, Where::kCaller}) {
    backend_->Play(ScoreById, where);
    v1::ScoreResponse response;
    // '!' is token 0, '"' is 1, '#' is 2.
    const grpc::Status status = Score({"##", "#", "\"\"", "!!#"}, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_EQ(response.scores_size(), 4);
    EXPECT_EQ(response.scores(0).logprob(), -4);
    EXPECT_EQ(response.scores(1).logprob(), -2);
    EXPECT_EQ(response.scores(2).logprob(), -2);
    EXPECT_EQ(response.scores(3).logprob(), -2);
    EXPECT_EQ(response.best(), 1u);  // The lowest index on a tie.
    ASSERT_EQ(response.scores(3).token_ids_size(), 3);
    ASSERT_EQ(response.scores(3).token_logprobs_size(), 3);
    EXPECT_EQ(response.scores(3).token_ids(2), 2);
    EXPECT_EQ(response.scores(3).token_logprobs(2), -2);
    EXPECT_EQ(response.started().request_id(), "mine");
    EXPECT_EQ(response.started().prompt_tokens(), 2u);
    EXPECT_EQ(response.started().workers().dense_worker(), "dense-0");
  }
  EXPECT_EQ(backend_->sequences()[0]->request.prompt.size(), 4u);
  EXPECT_EQ(backend_->sequences()[0]->request.score_tokens, 2);
}

TEST_F(ScoreCallTest, EveryContinuationHasTheTenantsSalt) {
  backend_->Play(ScoreById);
  v1::ScoreResponse response;
  ASSERT_TRUE(Score({"a", "b"}, &response, "clinic-a").ok());
  ASSERT_TRUE(Score({"a"}, &response).ok());
  const auto sequences = backend_->sequences();
  ASSERT_EQ(sequences.size(), 3u);
  EXPECT_EQ(sequences[0]->request.cache_salt, "tenant:clinic-a");
  EXPECT_EQ(sequences[1]->request.cache_salt, "tenant:clinic-a");
  EXPECT_EQ(sequences[2]->request.cache_salt, "");
}

TEST_F(ScoreCallTest, OneErrorFailsTheCallAndCancelsTheRest) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started();
    if (s.request.score_tokens == 1) {
      s.Finish(absl::UnavailableError("the expert worker is gone"));
      return;
    }
    s.AwaitCancel();
    s.Finish(absl::CancelledError("cancelled"));
  });
  v1::ScoreResponse response;
  const grpc::Status status = Score({"aa", "a", "bb"}, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "the expert worker is gone");
  EXPECT_NE(status.error_details(), "");
  backend_->Join();
}

TEST_F(ScoreCallTest, AMissingScoreIsAnInternalError) {
  backend_->Play([](ScriptedSequence& s) { s.Finish(Scored({-1})); },
                 Where::kCaller);
  v1::ScoreResponse response;
  EXPECT_EQ(Score({"aa", "bb"}, &response).error_code(),
            grpc::StatusCode::INTERNAL);
}

TEST_F(ScoreCallTest, RefusesWhatDoesNotFitIntoTheContext) {
  backend_->Play([](ScriptedSequence&) { FAIL(); }, Where::kCaller);
  v1::ScoreResponse response;
  const grpc::Status status = Score({"a", std::string(511, 'a')}, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message().find("continuations[1] has 511 tokens"), 0u);
}

TEST_F(ScoreCallTest, TheContextMayBeFilledToTheLastToken) {
  backend_->Play(ScoreById);
  v1::ScoreResponse response;
  EXPECT_TRUE(Score({std::string(510, 'a')}, &response).ok());
}

}  // namespace
}  // namespace apollo

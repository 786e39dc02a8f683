// The options of requests on a cluster of real processes: each is checked
// against another way to get the same result.

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"

namespace apollo {
namespace {

// Longer than a block of the cache, and than the rows of a step.
constexpr char kPrompt[] =
    "Welche Symptome hat eine Grippe? Fieber, Husten, Kopfschmerzen und "
    "Gliederschmerzen. Wie lange dauert sie?";

class OptionsTest : public testing::Test {
 protected:
  OptionsTest()
      : cluster_(Runfile("tests/golden/published"),
                 {.expert_workers = APOLLO_EXPERT_WORKERS,
                  .dense_flags = {"--token_budget=48"},
                  .local_flags = {"--token_budget=48"}}) {
    cluster_.Start();
    stub_ = cluster_.NewStub();
  }
  ~OptionsTest() override { cluster_.StopAll(); }

  static v1::GenerateRequest Request(int max_new_tokens = 12) {
    v1::GenerateRequest request = GreedyRequest(kPrompt, max_new_tokens);
    request.set_ignore_eos(true);
    return request;
  }
  Answer Ask(const v1::GenerateRequest& request) {
    const Answer answer = Generate(*stub_, request);
    EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
    EXPECT_TRUE(answer.contiguous);
    return answer;
  }
  std::vector<std::int32_t> TokensOf(const std::string& text) {
    v1::TokenizeRequest request;
    request.set_text(text);
    v1::TokenizeResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(stub_->Tokenize(&context, request, &response).ok());
    return {response.token_ids().begin(), response.token_ids().end()};
  }
  v1::ScoreResponse Score(const v1::ScoreRequest& request) {
    v1::ScoreResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub_->Score(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  Cluster cluster_;
  std::unique_ptr<v1::InferenceService::Stub> stub_;
};

TEST_F(OptionsTest, TokenIdsGiveTheAnswerOfTheirText) {
  const Answer text = Ask(Request());
  v1::GenerateRequest request = Request();
  request.mutable_tokenized()->mutable_input_ids()->Clear();
  for (const std::int32_t id : TokensOf(kPrompt)) {
    request.mutable_tokenized()->add_input_ids(id);
  }
  const Answer ids = Ask(request);
  EXPECT_EQ(ids.ids, text.ids);
  EXPECT_EQ(ids.logprobs, text.logprobs);
  EXPECT_EQ(ids.started.prompt_tokens(), text.started.prompt_tokens());
  EXPECT_EQ(ids.started.language(), text.started.language());
}

// The same bits, whether the prompt was computed or found in the cache.
TEST_F(OptionsTest, LogprobsOfThePromptAreThoseOfScore) {
  v1::GenerateRequest request = Request(2);
  const Answer plain = Ask(request);
  request.set_prompt_logprobs(3);
  request.set_language("de");
  v1::ScoreRequest score;
  score.set_language("de");
  score.set_prompt(std::string(kPrompt).substr(0, 1));
  score.add_continuations(std::string(kPrompt).substr(1));
  const v1::ContinuationScore expected = Score(score).scores(0);
  std::vector<unsigned> cached;
  for (int i = 0; i < 2; ++i) {
    const Answer answer = Ask(request);
    cached.push_back(answer.started.cached_tokens());
    EXPECT_EQ(answer.ids, plain.ids);
    ASSERT_EQ(answer.prompt.token_ids_size(), expected.token_ids_size());
    ASSERT_EQ(answer.prompt.logprobs_size(), expected.token_ids_size());
    for (int t = 0; t < expected.token_ids_size(); ++t) {
      EXPECT_EQ(answer.prompt.token_ids(t), expected.token_ids(t));
      const v1::TokenLogprobs& got = answer.prompt.logprobs(t);
      EXPECT_EQ(got.logprob(), expected.token_logprobs(t)) << t;
      ASSERT_EQ(got.alternatives_size(), 3);
      EXPECT_GE(got.alternatives(0).logprob(), got.alternatives(1).logprob());
      EXPECT_GE(got.alternatives(0).logprob(), got.logprob());
    }
  }
  EXPECT_GT(cached.back(), 48u);
}

TEST_F(OptionsTest, AStopTokenEndsTheAnswer) {
  const Answer whole = Ask(Request());
  v1::GenerateRequest request = Request();
  request.add_stop_token_ids(whole.ids[4]);
  const Answer answer = Ask(request);
  std::vector<std::int32_t> expected;
  for (const std::int32_t id : whole.ids) {
    expected.push_back(id);
    if (id == whole.ids[4]) break;
  }
  EXPECT_EQ(answer.ids, expected);
  EXPECT_EQ(answer.finished.reason(), v1::FINISH_REASON_STOP);
  EXPECT_EQ(answer.finished.matched_token_id(), whole.ids[4]);
  EXPECT_EQ(answer.finished.usage().generated_tokens(), expected.size());
  EXPECT_GT(answer.finished.expert_use_size(), 0);
}

TEST_F(OptionsTest, ABiasDecidesTheTokenButKeepsItsLogprob) {
  const Answer free = Ask(Request(1));
  const std::int32_t wanted = TokensOf("Q").at(0);
  ASSERT_NE(free.ids[0], wanted);
  v1::GenerateRequest request = Request(5);
  (*request.mutable_sampling()->mutable_logit_bias())[wanted] = 100;
  request.set_logprobs(1);
  const Answer biased = Ask(request);
  EXPECT_EQ(biased.ids, std::vector<std::int32_t>(5, wanted));
  // Those of the model, in which another token is the most probable.
  EXPECT_EQ(biased.alternatives[0][0].token_id(), free.ids[0]);
  EXPECT_EQ(biased.alternatives[0][0].logprob(), free.logprobs[0]);
  EXPECT_LT(biased.logprobs[0], free.logprobs[0]);
}

TEST_F(OptionsTest, ScoreTakesTokenIdsAndTheModelTellsItsLimits) {
  v1::ScoreRequest text, ids;
  text.set_prompt(kPrompt);
  text.add_continuations(" Eine Woche.");
  ids.add_continuations(" Eine Woche.");
  for (const std::int32_t id : TokensOf(kPrompt)) {
    ids.mutable_tokenized()->add_input_ids(id);
  }
  EXPECT_EQ(Score(ids).scores(0).SerializeAsString(),
            Score(text).scores(0).SerializeAsString());
  v1::GetModelResponse model;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->GetModel(&context, {}, &model).ok());
  EXPECT_GT(model.eos_token_ids_size(), 0);
  ids.mutable_tokenized()->set_input_ids(2,
                                         static_cast<int>(model.vocab_size()));
  v1::ScoreResponse response;
  grpc::ClientContext refused;
  const grpc::Status status = stub_->Score(&refused, ids, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message().find("tokenized.input_ids[2] is outside"),
            0u);
}

TEST_F(OptionsTest, MinPOfOneIsGreedyAndASmallOneIsNot) {
  const Answer greedy = Ask(Request());
  v1::GenerateRequest request = Request();
  request.mutable_sampling()->set_temperature(5);
  request.mutable_sampling()->set_seed(1);
  request.mutable_sampling()->set_min_p(1);
  EXPECT_EQ(Ask(request).ids, greedy.ids);
  request.mutable_sampling()->set_min_p(1e-6f);
  EXPECT_NE(Ask(request).ids, greedy.ids);
}

TEST_F(OptionsTest, CompleteHasTheResultOfGenerate) {
  v1::GenerateRequest request = Request();
  request.set_prompt_logprobs(1);
  request.set_logprobs(2);
  const Answer stream = Ask(request);
  request.mutable_sampling()->set_choices(2);
  v1::CompleteResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::minutes(2));
  const grpc::Status status = stub_->Complete(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.choices_size(), 2);
  for (const v1::CompletedChoice& choice : response.choices()) {
    EXPECT_EQ(choice.text(), stream.text);
    EXPECT_EQ(std::vector<std::int32_t>(choice.token_ids().begin(),
                                        choice.token_ids().end()),
              stream.ids);
    ASSERT_EQ(choice.logprobs_size(), static_cast<int>(stream.logprobs.size()));
    EXPECT_EQ(choice.logprobs(3).logprob(), stream.logprobs[3]);
    EXPECT_EQ(choice.finished().reason(), stream.finished.reason());
  }
  EXPECT_EQ(response.prompt_logprobs().SerializeAsString(),
            stream.prompt.SerializeAsString());
}

}  // namespace
}  // namespace apollo

// One answer through the service, as messages of apollo.v1.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "proto/apollo/rpc/details.pb.h"
#include "proto/apollo/rpc/packing.h"
#include "router/grpc/scripted_cluster.h"

namespace apollo {
namespace {

using Where = ScriptedBackend::Where;

class GenerateCallTest : public ScriptedClusterTest {};

TEST_F(GenerateCallTest, TokensComeInOrder) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started(/*cached_tokens=*/2);
    s.Say("Hello");
    s.Finish(FinishCause::kEos);
  });
  v1::GenerateRequest request = Prompt("four");
  request.set_request_id("mine");
  request.set_language("de");
  request.set_routing(v1::ROUTING_MODE_HYBRID);
  request.set_priority(-7);
  const Answer answer = Generate(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  ASSERT_EQ(answer.events.size(), 7u);
  const v1::GenerateStarted& started = answer.events[0].started();
  EXPECT_EQ(started.request_id(), "mine");
  EXPECT_EQ(started.language(), "de");
  EXPECT_EQ(started.confidence(), 1);
  EXPECT_EQ(started.family(), model_->families.ExpertOf("de"));
  EXPECT_EQ(started.routing(), v1::ROUTING_MODE_HYBRID);
  EXPECT_EQ(started.prompt_tokens(), 4u);
  EXPECT_EQ(started.cached_tokens(), 2u);
  EXPECT_EQ(started.workers().dense_worker(), "dense-0");
  EXPECT_EQ(started.workers().expert_worker(), "expert-0");
  EXPECT_EQ(started.seed(), 5u);
  EXPECT_EQ(TextOf(answer.events), "Hello");
  EXPECT_EQ(answer.events[1].delta().logprobs_size(), 0);
  const v1::GenerateFinished& finished = answer.events[6].finished();
  EXPECT_EQ(finished.reason(), v1::FINISH_REASON_EOS);
  EXPECT_EQ(finished.usage().prompt_tokens(), 4u);
  EXPECT_EQ(finished.usage().cached_tokens(), 2u);
  EXPECT_GE(finished.timings().first_token_seconds(),
            finished.timings().queue_seconds());

  ASSERT_EQ(backend_->sequences().size(), 1u);
  const GenerationRequest& run = backend_->sequences()[0]->request;
  EXPECT_EQ(run.request_id, "mine");
  EXPECT_EQ(run.prompt.size(), 4u);
  EXPECT_TRUE(run.hybrid);
  EXPECT_EQ(run.family, model_->families.ExpertOf("de"));
  EXPECT_EQ(run.sampling.seed, 5u);
  EXPECT_EQ(run.priority, -7);
  // All tokens that the context of 512 has room for.
  EXPECT_EQ(run.max_new_tokens, 508);
  EXPECT_TRUE(run.shorten_to_cache);
}

TEST_F(GenerateCallTest, ARequestThatNeverFitsHasNoRetryDelay) {
  backend_->Play([](ScriptedSequence& s) {
    s.Finish(absl::FailedPreconditionError("the cache holds 16"));
  });
  const Answer answer = Generate(Prompt("x"));
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(answer.status.error_details(), "");
}

TEST_F(GenerateCallTest, ExpertUseAndLengthArePassedOn) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started();
    s.Finish(GenerationFinished{FinishCause::kLength, {{3, {1, 0, 9}, 4}}, {}});
  });
  const Answer answer = Generate(Prompt("x"));
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  ASSERT_EQ(answer.events.size(), 2u);
  const v1::GenerateFinished& finished = answer.events[1].finished();
  EXPECT_EQ(finished.reason(), v1::FINISH_REASON_LENGTH);
  ASSERT_EQ(finished.expert_use_size(), 1);
  EXPECT_EQ(finished.expert_use(0).layer(), 3u);
  ASSERT_EQ(finished.expert_use(0).tokens_by_expert_size(), 3);
  EXPECT_EQ(finished.expert_use(0).tokens_by_expert(2), 9u);
  EXPECT_EQ(finished.expert_use(0).off_family_tokens(), 4u);
  EXPECT_FALSE(backend_->sequences()[0]->request.use_with_tokens);
}

TEST_F(GenerateCallTest, TheLanguageGoesAlongForCounting) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started();
    s.Finish(FinishCause::kEos);
  });
  v1::GenerateRequest request = Prompt("x");
  request.set_language("sw");
  ASSERT_TRUE(Generate(request).status.ok());
  EXPECT_EQ(backend_->sequences()[0]->request.language, "sw");
}

TEST_F(GenerateCallTest, AStopStringEndsTheAnswerAndCancelsTheSequence) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started();
    s.Say("ab END cd");
    s.AwaitCancel();
    s.Finish(absl::CancelledError("cancelled"));
  });
  v1::GenerateRequest request = Prompt("x");
  request.add_stop("END");
  const Answer answer = Generate(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(TextOf(answer.events), "ab ");
  const v1::GenerateFinished& finished = answer.events.back().finished();
  EXPECT_EQ(finished.reason(), v1::FINISH_REASON_STOP);
  EXPECT_EQ(finished.usage().generated_tokens(), 6u);
}

TEST_F(GenerateCallTest, TheClientsCancellationReachesTheBackend) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started();
    s.Say("a");
    s.AwaitCancel();
    s.Finish(absl::CancelledError("cancelled"));
  });
  v1::GenerateRequest request = Prompt("x");
  request.mutable_sampling()->set_choices(2);
  grpc::ClientContext context;
  const auto reader = stub_->Generate(&context, request);
  v1::GenerateResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_TRUE(response.has_started());
  context.TryCancel();
  while (reader->Read(&response)) continue;
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  backend_->Join();  // Returns only if both sequences are cancelled.
}

TEST_F(GenerateCallTest, ADeadlineThatPassesIsNoCancellation) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started();
    s.AwaitCancel();
    s.Finish(absl::CancelledError("cancelled"));
  });
  // CancelReason allows for a latency of 1% of it. A server that learns of the
  // call later than that cannot know: on a busy machine, it may take a try with
  // more time.
  const std::string expected = "code=\"DEADLINE_EXCEEDED\"";
  for (const int seconds : {5, 10, 20}) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(seconds));
    const auto reader = stub_->Generate(&context, Prompt("x"));
    v1::GenerateResponse response;
    while (reader->Read(&response)) continue;
    EXPECT_EQ(reader->Finish().error_code(),
              grpc::StatusCode::DEADLINE_EXCEEDED);
    ASSERT_EQ(AwaitRunning(0), 0);
    if (Metrics().find(expected) != std::string::npos) break;
  }
  EXPECT_THAT(Metrics(), testing::HasSubstr(expected));
}

TEST_F(GenerateCallTest, AnErrorOfTheBackendEndsTheStream) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started();
    s.Say("a");
    s.Finish(absl::UnavailableError("the dense worker is gone"));
  });
  const Answer answer = Generate(Prompt("x"));
  EXPECT_EQ(answer.events.size(), 2u);
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(answer.status.error_message(), "the dense worker is gone");
  rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(answer.status.error_details()));
  ASSERT_EQ(details.details_size(), 1);
  rpc::RetryInfo retry;
  ASSERT_TRUE(rpc::Unpack(details.details(0), &retry));
  EXPECT_GT(retry.retry_delay().seconds(), 0);
}

TEST_F(GenerateCallTest, LogprobsAreReportedOnlyIfAskedFor) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started();
    // The model has one token more than its tokenizer.
    s.Token({0, 1, -0.5f, {{1, -0.5f}, {259, -2}}});
    s.Finish(FinishCause::kEos);
  });
  v1::GenerateRequest request = Prompt("x");
  Answer answer = Generate(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.events[1].delta().logprobs_size(), 0);
  EXPECT_EQ(backend_->sequences()[0]->request.top_logprobs, 0);
  request.set_logprobs(2);
  answer = Generate(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  const v1::GenerateDelta& delta = answer.events[1].delta();
  ASSERT_EQ(delta.logprobs_size(), delta.token_ids_size());
  EXPECT_EQ(delta.logprobs(0).logprob(), -0.5f);
  ASSERT_EQ(delta.logprobs(0).alternatives_size(), 2);
  EXPECT_EQ(delta.logprobs(0).alternatives(0).token(), "\"");
  EXPECT_EQ(delta.logprobs(0).alternatives(1).token(), "");
  EXPECT_EQ(delta.logprobs(0).alternatives(1).logprob(), -2);
  EXPECT_EQ(backend_->sequences()[1]->request.top_logprobs, 2);
}

TEST_F(GenerateCallTest, LogprobsOfThePromptAreEventsBeforeTheAnswer) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started();
    s.Prompt({1, {{1, -0.5f, {{2, -0.25f}}}, {3, -2, {{4, -1}}}}});
    s.Prompt({3, {{5, -3, {{6, -1}}}}});
    s.Say("a");
    s.Finish(FinishCause::kEos);
  });
  v1::GenerateRequest request = Prompt("four");
  request.set_prompt_logprobs(1);
  const Answer answer = Generate(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  ASSERT_EQ(answer.events.size(), 5u);
  ASSERT_TRUE(answer.events[1].has_prompt_logprobs());
  const v1::PromptLogprobs& first = answer.events[1].prompt_logprobs();
  EXPECT_EQ(first.index(), 1u);
  ASSERT_EQ(first.token_ids_size(), 2);
  EXPECT_EQ(first.token_ids(1), 3);
  ASSERT_EQ(first.logprobs_size(), 2);
  EXPECT_EQ(first.logprobs(1).logprob(), -2);
  ASSERT_EQ(first.logprobs(1).alternatives_size(), 1);
  EXPECT_EQ(first.logprobs(1).alternatives(0).token_id(), 4);
  EXPECT_EQ(answer.events[2].prompt_logprobs().index(), 3u);
  EXPECT_TRUE(answer.events[3].has_delta());
}

TEST_F(GenerateCallTest, TheEndTellsWhatMatched) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started();
    s.Say("abc");
    s.AwaitCancel();
    s.Finish(absl::CancelledError("cancelled"));
  });
  v1::GenerateRequest request = Prompt("x");
  request.add_stop("b");
  Answer answer = Generate(request);
  EXPECT_EQ(answer.events.back().finished().matched_stop_case(),
            v1::GenerateFinished::kMatchedStopIndex);
  EXPECT_EQ(answer.events.back().finished().matched_stop_index(), 0u);
  const std::int32_t b =
      answer.events[2].delta().token_ids(0);  // The tokens are bytes.
  request.clear_stop();
  request.add_stop_token_ids(b);
  answer = Generate(request);
  EXPECT_EQ(TextOf(answer.events), "a");
  EXPECT_EQ(answer.events.back().finished().reason(), v1::FINISH_REASON_STOP);
  EXPECT_EQ(answer.events.back().finished().matched_stop_case(),
            v1::GenerateFinished::kMatchedTokenId);
  EXPECT_EQ(answer.events.back().finished().matched_token_id(), b);
}

TEST_F(GenerateCallTest, TokenIdsOutsideTheVocabularyAreRefused) {
  v1::GenerateRequest request;
  request.mutable_tokenized()->add_input_ids(model_->config.vocab_size);
  request.add_stop_token_ids(model_->config.vocab_size);
  (*request.mutable_sampling()
        ->mutable_logit_bias())[model_->config.vocab_size] = 1;
  const Answer answer = Generate(request);
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(answer.status.error_details()));
  rpc::BadRequest bad;
  ASSERT_TRUE(rpc::Unpack(details.details(0), &bad));
  EXPECT_EQ(bad.field_violations_size(), 3);
}

TEST_F(GenerateCallTest, RefusesBeforeAnythingIsStarted) {
  backend_->Play([](ScriptedSequence&) { FAIL(); }, Where::kCaller);
  v1::GenerateRequest no_room = Prompt("four");
  no_room.set_max_new_tokens(509);
  const struct {
    v1::GenerateRequest request;
    const char* field;
  } kCases[] = {
      {v1::GenerateRequest(), "prompt"},
      {Prompt(std::string(512, 'x')), "prompt"},
      {no_room, "max_new_tokens"},
  };
  for (const auto& [request, field] : kCases) {
    const Answer answer = Generate(request);
    EXPECT_TRUE(answer.events.empty());
    EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    rpc::Status details;
    ASSERT_TRUE(details.ParseFromString(answer.status.error_details()));
    ASSERT_EQ(details.details_size(), 1);
    rpc::BadRequest bad;
    ASSERT_TRUE(rpc::Unpack(details.details(0), &bad));
    ASSERT_EQ(bad.field_violations_size(), 1);
    EXPECT_EQ(bad.field_violations(0).field(), field);
  }
  EXPECT_TRUE(backend_->sequences().empty());
}

TEST_F(GenerateCallTest, AnUnseededRequestGetsASeedAndAnId) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started();
    s.Finish(FinishCause::kEos);
  });
  v1::GenerateRequest request;
  request.set_prompt("x");
  const Answer answer = Generate(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  const v1::GenerateStarted& started = answer.events[0].started();
  const GenerationRequest& run = backend_->sequences()[0]->request;
  EXPECT_EQ(started.seed(), run.sampling.seed);
  EXPECT_EQ(started.request_id(), run.request_id);
  EXPECT_THAT(started.request_id(), testing::MatchesRegex("r-[0-9a-f]{16}"));
}

}  // namespace
}  // namespace apollo

// Whole answers in one response, through the service.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "proto/apollo/rpc/details.pb.h"
#include "proto/apollo/rpc/packing.h"
#include "router/grpc/scripted_cluster.h"

namespace apollo {
namespace {

class CompleteCallTest : public ScriptedClusterTest {
 protected:
  grpc::Status Complete(const v1::GenerateRequest& request,
                        v1::CompleteResponse* response) {
    grpc::ClientContext context;
    return stub_->Complete(&context, request, response);
  }
};

TEST_F(CompleteCallTest, TheResponseHasAllThatTheStreamHas) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started(/*cached_tokens=*/2);
    if (s.request.prompt_logprobs) {
      s.Prompt({1, {{1, -0.5f, {{2, -0.25f}}}, {3, -2, {{4, -1}}}}});
      s.Prompt({3, {{5, -3, {{6, -1}}}}});
    }
    s.Token({0, 1, -0.5f, {{1, -0.5f}}});
    s.Say("Hi");
    s.Finish(GenerationFinished{FinishCause::kLength, {{3, {1, 0, 9}, 4}}, {}});
  });
  v1::GenerateRequest request = Prompt("four");
  request.set_request_id("mine");
  request.set_logprobs(1);
  request.set_prompt_logprobs(1);
  request.mutable_sampling()->set_choices(2);
  const Answer stream = Generate(request);
  ASSERT_TRUE(stream.status.ok()) << stream.status.error_message();
  v1::CompleteResponse response;
  const grpc::Status status = Complete(request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.started().request_id(), "mine");
  EXPECT_EQ(response.started().prompt_tokens(), 4u);
  EXPECT_EQ(response.started().seed(), 5u);
  ASSERT_EQ(response.choices_size(), 2);
  for (unsigned c = 0; c < 2; ++c) {
    const v1::CompletedChoice& choice = response.choices(c);
    EXPECT_EQ(choice.text(), TextOf(stream.events, c));
    ASSERT_EQ(choice.token_ids_size(), 3);
    EXPECT_EQ(choice.token_ids(0), 1);
    ASSERT_EQ(choice.logprobs_size(), 3);
    EXPECT_EQ(choice.logprobs(0).logprob(), -0.5f);
    EXPECT_EQ(choice.logprobs(0).alternatives_size(), 1);
    EXPECT_EQ(choice.finished().choice(), c);
    EXPECT_EQ(choice.finished().reason(), v1::FINISH_REASON_LENGTH);
    EXPECT_EQ(choice.finished().usage().generated_tokens(), 3u);
    EXPECT_EQ(choice.finished().usage().cached_tokens(), 2u);
    EXPECT_EQ(choice.finished().expert_use_size(), 1);
  }
  const v1::PromptLogprobs& prompt = response.prompt_logprobs();
  EXPECT_EQ(prompt.index(), 1u);
  EXPECT_THAT(prompt.token_ids(), testing::ElementsAre(1, 3, 5));
  ASSERT_EQ(prompt.logprobs_size(), 3);
  EXPECT_EQ(prompt.logprobs(2).logprob(), -3);
  ASSERT_EQ(AwaitRunning(0), 0);
  EXPECT_THAT(Metrics(), testing::HasSubstr("method=\"Complete\""));
}

TEST_F(CompleteCallTest, WhatWasNotAskedForIsAbsent) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started();
    s.Finish(FinishCause::kEos);
  });
  v1::CompleteResponse response;
  ASSERT_TRUE(Complete(Prompt("x"), &response).ok());
  EXPECT_FALSE(response.has_prompt_logprobs());
  ASSERT_EQ(response.choices_size(), 1);
  EXPECT_EQ(response.choices(0).text(), "");
  EXPECT_EQ(response.choices(0).finished().reason(), v1::FINISH_REASON_EOS);
}

TEST_F(CompleteCallTest, AWrongRequestIsRefusedAsByGenerate) {
  v1::GenerateRequest request = Prompt("x");
  request.set_logprobs(21);
  request.add_stop("");
  v1::CompleteResponse response;
  const grpc::Status status = Complete(request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), Generate(request).status.error_message());
  rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  rpc::BadRequest bad;
  ASSERT_TRUE(rpc::Unpack(details.details(0), &bad));
  EXPECT_EQ(bad.field_violations_size(), 2);
  EXPECT_TRUE(backend_->sequences().empty());
}

TEST_F(CompleteCallTest, AnErrorOfTheBackendEndsTheCall) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started();
    s.Say("a");
    s.Finish(absl::UnavailableError("the dense worker is gone"));
  });
  v1::CompleteResponse response;
  const grpc::Status status = Complete(Prompt("x"), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "the dense worker is gone");
  EXPECT_EQ(response.choices_size(), 0);
}

TEST_F(CompleteCallTest, ATooLargeResponseEndsTheCallAndTheSequence) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started();
    GeneratedToken token = {0, 1, -1, {}, {}};
    token.alternatives.assign(20, {1, -1});
    while (!s.cancelled()) s.Token(token);
    s.Finish(absl::CancelledError("cancelled"));
  });
  v1::GenerateRequest request = Prompt("x");
  request.set_logprobs(20);
  v1::CompleteResponse response;
  const grpc::Status status = Complete(request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(),
              testing::HasSubstr("more than 4000000 bytes; use Generate"));
  EXPECT_EQ(AwaitRunning(0), 0);
  EXPECT_THAT(Metrics(), testing::HasSubstr("code=\"FAILED_PRECONDITION\""));
}

// Many small pieces take no more room than they do in the response.
TEST_F(CompleteCallTest, AResponseOfNearlyTheLargestSizeIsReturned) {
  GeneratedToken token = {0, 1, -1, {}, {}};
  token.alternatives.assign(10, {1, -1});
  backend_->Play([token](ScriptedSequence& s) {
    s.Started();
    s.Token(token);
    s.Finish(FinishCause::kLength);
  });
  v1::GenerateRequest request = Prompt("x");
  request.set_logprobs(10);
  v1::CompleteResponse response;
  ASSERT_TRUE(Complete(request, &response).ok());
  const v1::CompletedChoice& one = response.choices(0);
  // With the field's tag and length.
  const std::size_t each =
      one.text().size() + 1 + one.logprobs(0).ByteSizeLong() + 2;
  const std::size_t tokens = 3'990'000 / each;
  backend_->Play([token, tokens](ScriptedSequence& s) {
    s.Started();
    for (std::size_t i = 0; i < tokens; ++i) s.Token(token);
    s.Finish(FinishCause::kLength);
  });
  const grpc::Status status = Complete(request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(static_cast<std::size_t>(response.choices(0).token_ids_size()),
            tokens);
  EXPECT_EQ(static_cast<std::size_t>(response.choices(0).logprobs_size()),
            tokens);
  EXPECT_GT(response.ByteSizeLong(), 3'900'000u);
  EXPECT_LE(response.ByteSizeLong(), 4'000'000u);
}

TEST_F(CompleteCallTest, TheClientsCancellationReachesTheBackend) {
  grpc::ClientContext context;
  backend_->Play([&context](ScriptedSequence& s) {
    s.Started();
    context.TryCancel();
    s.AwaitCancel();
    s.Finish(absl::CancelledError("cancelled"));
  });
  v1::CompleteResponse response;
  EXPECT_EQ(stub_->Complete(&context, Prompt("x"), &response).error_code(),
            grpc::StatusCode::CANCELLED);
  backend_->Join();  // Returns only if the sequence is cancelled.
  EXPECT_EQ(AwaitRunning(0), 0);
  EXPECT_THAT(Metrics(), testing::HasSubstr("code=\"CANCELLED\""));
}

TEST_F(CompleteCallTest, ContinuesNoStream) {
  v1::GenerateRequest request = Prompt("four");
  request.mutable_resume()->set_seed(5);
  request.mutable_resume()->set_family(-1);
  v1::CompleteResponse response;
  const grpc::Status status = Complete(request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), testing::StartsWith("resume is set"));
  EXPECT_TRUE(backend_->sequences().empty());
}

}  // namespace
}  // namespace apollo

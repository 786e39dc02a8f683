// Calls of several callers through the router's service.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "proto/apollo/rpc/details.pb.h"
#include "proto/apollo/rpc/packing.h"
#include "router/access/access_control.h"
#include "router/grpc/call_evidence_of.h"
#include "router/grpc/scripted_cluster.h"

namespace apollo {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;

constexpr char kPolicy[] = R"({"version": 1, "callers": [
  {"name": "a", "tenant": "north", "role": "client", "max_priority": 5,
   "identities": {"uris": ["u:a"]},
   "limits": {"requests_per_second": 1, "requests_burst": 3, "streams": 1,
              "tokens_per_second": 1, "tokens_burst": 100,
              "prompt_tokens": 20, "message_bytes": 2000}},
  {"name": "b", "role": "client", "identities": {"uris": ["u:b"]}},
  {"name": "ops", "role": "operator", "identities": {"uris": ["u:ops"]}}]})";

// The metadata "test-uri" is the name that a call's connection has proven.
class AccessTest : public ScriptedClusterTest {
 protected:
  explicit AccessTest(const CallLimits& limits = {})
      : ScriptedClusterTest(limits) {
    const std::string file = testing::TempDir() + "/access_test.json";
    std::ofstream(file) << kPolicy;
    auto access = AccessControl::Open({file, ""}, "any", clock_,
                                      [] { return absl::UnixEpoch(); });
    if (!access.ok()) throw std::runtime_error(access.status().ToString());
    access_ = *std::move(access);
    const PeerOf peer_of = [](const grpc::ServerContextBase& context) {
      PeerIdentity peer;
      const auto uri = context.client_metadata().find("test-uri");
      peer.proven = uri != context.client_metadata().end();
      if (peer.proven) peer.uris = {{uri->second.data(), uri->second.size()}};
      return peer;
    };
    admit_ = [this, peer_of](RpcMethod method,
                             const grpc::ServerContextBase& context,
                             std::size_t bytes) {
      return access_->Admit(method, EvidenceOf(context, peer_of, bytes));
    };
    PlayAnswers();
  }
  ~AccessTest() override { AwaitRunning(0); }

  // Makes the cluster answer each sequence with two words.
  void PlayAnswers() {
    backend_->Play([](ScriptedSequence& s) {
      s.Started();
      s.Say("ok");
      s.Finish(FinishCause::kEos);
    });
  }

  static void SetUri(const std::string& uri, grpc::ClientContext& context) {
    if (!uri.empty()) context.AddMetadata("test-uri", uri);
  }

  grpc::Status Call(const std::string& uri, const v1::GenerateRequest& request,
                    int* events = nullptr) {
    grpc::ClientContext context;
    SetUri(uri, context);
    const auto reader = stub_->Generate(&context, request);
    v1::GenerateResponse response;
    while (reader->Read(&response)) {
      if (events != nullptr) ++*events;
    }
    return reader->Finish();
  }

  // Returns a request for 10 tokens.
  static v1::GenerateRequest Small() {
    v1::GenerateRequest request = Prompt("x");
    request.set_max_new_tokens(10);
    return request;
  }

  std::unique_ptr<AccessControl> access_;
};

// Returns the quota that a status names, after its time to wait.
rpc::QuotaFailure::Violation QuotaOf(const grpc::Status& status) {
  rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.details_size(), 2);
  rpc::RetryInfo retry;
  rpc::QuotaFailure quota;
  if (details.details_size() != 2 || !rpc::Unpack(details.details(0), &retry) ||
      !rpc::Unpack(details.details(1), &quota) ||
      quota.violations_size() != 1) {
    ADD_FAILURE() << "no RetryInfo and QuotaFailure";
    return {};
  }
  EXPECT_GE(retry.retry_delay().seconds(), 1);
  return quota.violations(0);
}

TEST_F(AccessTest, EveryMethodAsksWhoCalls) {
  const auto context = [] { return std::make_unique<grpc::ClientContext>(); };
  std::map<std::string, grpc::Status> ends;
  ends["Generate"] = Call("", Small());
  v1::CompleteResponse complete;
  ends["Complete"] = stub_->Complete(context().get(), Small(), &complete);
  v1::ScoreResponse score;
  ends["Score"] = stub_->Score(context().get(), {}, &score);
  v1::TokenizeResponse tokens;
  ends["Tokenize"] = stub_->Tokenize(context().get(), {}, &tokens);
  v1::DetectLanguageResponse language;
  ends["DetectLanguage"] =
      stub_->DetectLanguage(context().get(), {}, &language);
  v1::GetModelResponse model;
  ends["GetModel"] = stub_->GetModel(context().get(), {}, &model);
  v1::GetRoutingResponse routing;
  ends["GetRouting"] = stub_->GetRouting(context().get(), {}, &routing);
  v1::GetStatusResponse status;
  ends["GetStatus"] = stub_->GetStatus(context().get(), {}, &status);
  // All methods of the service are above.
  const auto* service =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
          "apollo.v1.InferenceService");
  ASSERT_EQ(static_cast<int>(ends.size()), service->method_count());
  for (const auto& [method, end] : ends) {
    EXPECT_EQ(end.error_code(), StatusCode::UNAUTHENTICATED) << method;
  }
  EXPECT_EQ(status.processes_size(), 0);
  EXPECT_TRUE(backend_->sequences().empty());
}

TEST_F(AccessTest, MethodsThatAreNotListedAreDenied) {
  for (const auto& [uri, code] :
       {std::pair{"u:b", StatusCode::PERMISSION_DENIED},
        std::pair{"u:ops", StatusCode::OK}}) {
    grpc::ClientContext context;
    SetUri(uri, context);
    v1::GetStatusResponse response;
    EXPECT_EQ(stub_->GetStatus(&context, {}, &response).error_code(), code);
  }
  EXPECT_EQ(Call("u:stranger", Small()).error_code(),
            StatusCode::PERMISSION_DENIED);
}

TEST_F(AccessTest, ARefusalNamesTheQuota) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Call("u:a", Small()).ok());
  const auto quota = QuotaOf(Call("u:a", Small()));
  EXPECT_EQ(quota.subject(), "caller:a");
  EXPECT_EQ(quota.description(), "requests_per_second is 1, requests_burst 3");
  grpc::ClientContext score_context, tokenize_context, complete_context;
  for (auto* one : {&score_context, &tokenize_context, &complete_context}) {
    SetUri("u:a", *one);
  }
  v1::ScoreResponse score;
  EXPECT_EQ(QuotaOf(stub_->Score(&score_context, {}, &score)).subject(),
            "caller:a");
  v1::TokenizeResponse tokens;
  EXPECT_EQ(QuotaOf(stub_->Tokenize(&tokenize_context, {}, &tokens)).subject(),
            "caller:a");
  v1::CompleteResponse complete;
  EXPECT_EQ(
      QuotaOf(stub_->Complete(&complete_context, Small(), &complete)).subject(),
      "caller:a");
  EXPECT_TRUE(Call("u:b", Small()).ok());
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(Call("u:a", Small()).ok());
}

TEST_F(AccessTest, TokensAreReservedAndUnusedOnesComeBack) {
  v1::GenerateRequest large = Small();
  large.set_max_new_tokens(60);
  EXPECT_TRUE(Call("u:a", large).ok());
  EXPECT_TRUE(Call("u:a", large).ok());
  large.mutable_sampling()->set_choices(8);
  large.mutable_sampling()->set_temperature(1);
  const grpc::Status refused = Call("u:a", large);  // More than there is.
  EXPECT_EQ(refused.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(QuotaOf(refused).description(),
            "tokens_per_second is 1, tokens_burst 100");
  EXPECT_EQ(backend_->sequences().size(), 2u);
}

// Otherwise text could come as an answer, which costs nothing.
TEST_F(AccessTest, WhatAClientHasReceivedCostsWhatItTakesToComputeItAgain) {
  v1::GenerateRequest request = Small();
  request.set_max_new_tokens(90);
  request.mutable_resume()->set_seed(5);
  request.mutable_resume()->set_family(-1);
  auto* choice = request.mutable_resume()->add_choices();
  for (int i = 0; i < 80; ++i) choice->add_token_ids(50);
  // The answer does not go on so, but the tokens have been computed.
  EXPECT_EQ(Call("u:a", request).error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Call("u:a", request).error_code(), StatusCode::RESOURCE_EXHAUSTED);
}

class FullAccessTest : public AccessTest {
 protected:
  FullAccessTest() : AccessTest({.max_calls = 1}) {}
};

TEST_F(FullAccessTest, ARefusedCallTakesNoPlaceOfOthers) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started();
    s.AwaitCancel();
    s.Finish(absl::CancelledError("cancelled"));
  });
  grpc::ClientContext context;
  SetUri("u:a", context);
  const auto reader = stub_->Generate(&context, Small());
  v1::GenerateResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(Call("u:stranger", Small()).error_code(),
            StatusCode::PERMISSION_DENIED);
  context.TryCancel();
  EXPECT_EQ(reader->Finish().error_code(), StatusCode::CANCELLED);
}

TEST_F(AccessTest, StreamsOfACallerAreLimited) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started();
    s.AwaitCancel();
    s.Finish(absl::CancelledError("cancelled"));
  });
  grpc::ClientContext context;
  SetUri("u:a", context);
  const auto reader = stub_->Generate(&context, Small());
  v1::GenerateResponse response;
  ASSERT_TRUE(reader->Read(&response));
  const auto quota = QuotaOf(Call("u:a", Small()));
  EXPECT_EQ(quota.description(), "streams is 1");
  context.TryCancel();
  EXPECT_EQ(reader->Finish().error_code(), StatusCode::CANCELLED);
  AwaitRunning(0);
  PlayAnswers();
  EXPECT_TRUE(Call("u:a", Small()).ok());
}

TEST_F(AccessTest, LimitsOfOneCallAreWrongFields) {
  v1::GenerateRequest request = Small();
  request.set_priority(6);
  grpc::Status status = Call("u:a", request);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(),
              HasSubstr("priority is 6; caller a may use at most 5"));
  request = Small();
  std::string words;
  for (int i = 0; i < 15; ++i) words += "x y ";
  request.set_prompt(words);
  status = Call("u:a", request);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(),
              HasSubstr("caller a may send at most 20"));
  request.set_prompt(std::string(3000, 'x'));
  status = Call("u:a", request);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("may send at most 2000"));
  EXPECT_TRUE(backend_->sequences().empty());
}

TEST_F(AccessTest, ContinuationsCountAsAPartOfThePrompt) {
  v1::ScoreRequest request;
  request.set_prompt("x");
  const auto score = [&] {
    grpc::ClientContext context;
    SetUri("u:a", context);
    v1::ScoreResponse response;
    return stub_->Score(&context, request, &response);
  };
  std::string words;
  for (int i = 0; i < 15; ++i) words += "x y ";
  request.add_continuations("y");
  request.add_continuations(words);
  const grpc::Status status = score();
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(),
              testing::AllOf(HasSubstr("continuations"),
                             HasSubstr("caller a may send at most 20")));
  EXPECT_TRUE(backend_->sequences().empty());
}

TEST_F(AccessTest, TheBackendLearnsCallerAndTenantFromThePolicyAlone) {
  EXPECT_TRUE(Call("u:a", Small()).ok());
  EXPECT_TRUE(Call("u:b", Small()).ok());
  const auto sequences = backend_->sequences();
  ASSERT_EQ(sequences.size(), 2u);
  EXPECT_EQ(sequences[0]->request.caller, "a");
  EXPECT_EQ(sequences[0]->request.cache_salt, "tenant:north");
  EXPECT_EQ(sequences[1]->request.caller, "b");
  EXPECT_EQ(sequences[1]->request.cache_salt, "tenant:b");
}

}  // namespace
}  // namespace apollo

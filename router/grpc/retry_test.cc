// What clients of gRPC and proxies do after an error: they read trailers, not
// error details.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <thread>

#include "router/grpc/scripted_cluster.h"

namespace apollo {
namespace {

using testing::HasSubstr;
using testing::Not;
using Where = ScriptedBackend::Where;

// A client as users configure it (docs/clients.md), except for its own delays:
// with these, a test that relies on one of them does not end in time.
std::string ServiceConfig(const std::string& own_delay) {
  return R"({"methodConfig": [{"name": [{}], "retryPolicy": {
      "maxAttempts": 3, "initialBackoff": ")" +
         own_delay + R"(", "maxBackoff": ")" + own_delay +
         R"(", "backoffMultiplier": 1, "retryableStatusCodes":
      ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"]}}]})";
}

class RetryTest : public ScriptedClusterTest {
 protected:
  // Ends the first sequence with the error, and answers later ones.
  void FailOnce(const absl::Status& error) {
    backend_->Play(
        [this, error](ScriptedSequence& s) {
          backend_->Play(
              [](ScriptedSequence& next) {
                next.Started();
                next.Say("ok");
                next.Finish(FinishCause::kEos);
              },
              Where::kThread);
          s.Finish(error);
        },
        Where::kThread);
  }

  grpc::Status GenerateWithRetries(const std::string& own_delay) {
    grpc::ChannelArguments arguments;
    arguments.SetServiceConfigJSON(ServiceConfig(own_delay));
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto stub = v1::InferenceService::NewStub(grpc::CreateCustomChannel(
        address_, grpc::InsecureChannelCredentials(), arguments));
    grpc::ClientContext context;
    const auto reader = stub->Generate(&context, Prompt("x"));
    v1::GenerateResponse response;
    while (reader->Read(&response)) {
    }
    return reader->Finish();
  }

  // Returns the trailers of a call that fails with the error.
  std::map<std::string, std::string> TrailersOf(const absl::Status& error) {
    FailOnce(error);
    grpc::ClientContext context;
    v1::GenerateRequest request = Prompt("x");
    request.set_request_id("mine");
    const auto reader = stub_->Generate(&context, request);
    v1::GenerateResponse response;
    EXPECT_FALSE(reader->Read(&response));
    EXPECT_EQ(static_cast<int>(reader->Finish().error_code()),
              static_cast<int>(error.code()));
    std::map<std::string, std::string> trailers;
    for (const auto& [key, value] : context.GetServerTrailingMetadata()) {
      trailers.emplace(std::string(key.data(), key.size()),
                       std::string(value.data(), value.size()));
    }
    return trailers;
  }

  // Returns the metrics once they contain the text, or after half a minute.
  std::string AwaitMetrics(const std::string& text) {
    const auto forever =
        std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (Metrics().find(text) == std::string::npos &&
           std::chrono::steady_clock::now() < forever) {
      std::this_thread::yield();
    }
    return Metrics();
  }
};

TEST_F(RetryTest, ErrorsWorthARetrySayWhen) {
  for (const absl::Status& error :
       {absl::UnavailableError("gone"), absl::ResourceExhaustedError("full")}) {
    auto trailers = TrailersOf(error);
    const int milliseconds =
        std::atoi(trailers["grpc-retry-pushback-ms"].c_str());
    EXPECT_GE(milliseconds, 1000);
    EXPECT_LE(milliseconds, 2000);
    EXPECT_EQ(trailers["retry-after"], milliseconds > 1000 ? "2" : "1");
    EXPECT_EQ(trailers["x-request-id"], "mine");
  }
}

TEST_F(RetryTest, AnErrorThatWouldComeAgainForbidsRetries) {
  auto trailers = TrailersOf(absl::FailedPreconditionError("too long"));
  EXPECT_EQ(trailers["grpc-retry-pushback-ms"], "-1");
  EXPECT_EQ(trailers.count("retry-after"), 0u);
  EXPECT_EQ(trailers["x-request-id"], "mine");
}

TEST_F(RetryTest, OtherErrorsAreLeftToTheClient) {
  auto trailers = TrailersOf(absl::InternalError("broken"));
  EXPECT_EQ(trailers.count("grpc-retry-pushback-ms"), 0u);
  EXPECT_EQ(trailers.count("retry-after"), 0u);
}

// By its own delay, the client would come back after the end of this test.
TEST_F(RetryTest, AClientComesBackWhenItIsTold) {
  FailOnce(absl::UnavailableError("gone"));
  EXPECT_TRUE(GenerateWithRetries("3600s").ok());
  EXPECT_EQ(backend_->sequences().size(), 2u);
}

TEST_F(RetryTest, AClientDoesNotRepeatWhatFailsAgain) {
  FailOnce(absl::FailedPreconditionError("too long"));
  EXPECT_EQ(GenerateWithRetries("0.001s").error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(backend_->sequences().size(), 1u);
}

TEST_F(RetryTest, ARequestThatNeverArrivesCountsAsCancelled) {
  grpc::GenericStub stub(channel_);
  for (const char* method : {"Generate", "Score", "Tokenize"}) {
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareCall(
        &context, std::string("/apollo.v1.InferenceService/") + method, &queue);
    void* tag = nullptr;
    bool ok = false;
    call->StartCall(&tag);
    queue.Next(&tag, &ok);
    ASSERT_TRUE(ok);
    context.TryCancel();
    grpc::Status status;
    call->Finish(&status, &tag);
    queue.Next(&tag, &ok);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  }
  // The server may see nothing at all of a call that was cancelled so early.
  // What it counts is not the client's fault.
  backend_->Play([](ScriptedSequence& s) { s.Finish(FinishCause::kEos); });
  Generate(Prompt("x"));
  EXPECT_THAT(AwaitMetrics("code=\"OK\""),
              Not(HasSubstr("code=\"INVALID_ARGUMENT\"")));
}

}  // namespace
}  // namespace apollo

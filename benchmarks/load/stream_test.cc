#include "benchmarks/load/stream.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace apollo::load {
namespace {

// A router that answers each call in the same way.
class FakeRouter final : public v1::InferenceService::Service {
 public:
  FakeRouter(std::vector<v1::GenerateResponse> events, grpc::Status status)
      : events_(std::move(events)), status_(std::move(status)) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.RegisterService(this);
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    server_ = builder.BuildAndStart();
    stub_ = v1::InferenceService::NewStub(
        grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                            grpc::InsecureChannelCredentials()));
  }
  ~FakeRouter() override {
    server_->Shutdown(std::chrono::system_clock::now());
  }

  StreamTimes Ask() {
    Stream stream({}, std::chrono::steady_clock::now());
    stream.Start(*stub_);
    return stream.Wait();
  }
  int calls() {
    MutexLock lock(mutex_);
    return calls_;
  }

  grpc::Status Generate(
      grpc::ServerContext*, const v1::GenerateRequest*,
      grpc::ServerWriter<v1::GenerateResponse>* writer) override {
    {
      MutexLock lock(mutex_);
      ++calls_;
    }
    for (const v1::GenerateResponse& event : events_) writer->Write(event);
    return status_;
  }

 private:
  const std::vector<v1::GenerateResponse> events_;
  const grpc::Status status_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::InferenceService::Stub> stub_;
  Mutex mutex_;
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

v1::GenerateResponse Started() {
  v1::GenerateResponse event;
  event.mutable_started()->set_prompt_tokens(5);
  event.mutable_started()->set_cached_tokens(3);
  return event;
}

v1::GenerateResponse Tokens(int count) {
  v1::GenerateResponse event;
  for (int i = 0; i < count; ++i) event.mutable_delta()->add_token_ids(i);
  return event;
}

v1::GenerateResponse Finished() {
  v1::GenerateResponse event;
  event.mutable_finished()->set_reason(v1::FINISH_REASON_LENGTH);
  return event;
}

grpc::Status Broken() { return {grpc::StatusCode::UNAVAILABLE, "Broken pipe"}; }

TEST(StreamTest, EachTokenHasATime) {
  FakeRouter router({Started(), Tokens(1), Tokens(2), Finished()},
                    grpc::Status::OK);
  const StreamTimes times = router.Ask();
  EXPECT_TRUE(times.status.ok()) << times.status;
  EXPECT_EQ(times.prompt_tokens, 5);
  EXPECT_EQ(times.cached_tokens, 3);
  ASSERT_EQ(times.tokens.size(), 3u);
  EXPECT_GE(times.tokens[0], times.start);
  EXPECT_GE(times.tokens[2], times.tokens[1]);
}

TEST(StreamTest, AnAnswerThatHasFinishedIsWhole) {
  FakeRouter router({Started(), Tokens(1), Finished()}, Broken());
  const StreamTimes times = router.Ask();
  EXPECT_TRUE(times.status.ok()) << times.status;
  EXPECT_EQ(times.tokens.size(), 1u);
}

TEST(StreamTest, AFailureIsNotRepeated) {
  FakeRouter router({Started(), Tokens(1)}, Broken());
  EXPECT_EQ(router.Ask().status, absl::UnavailableError("Broken pipe"));
  EXPECT_EQ(router.calls(), 1);
}

TEST(StreamTest, AFragmentIsAFailure) {
  FakeRouter router({Started(), Tokens(1)}, grpc::Status::OK);
  EXPECT_TRUE(absl::IsDataLoss(router.Ask().status));
}

}  // namespace
}  // namespace apollo::load

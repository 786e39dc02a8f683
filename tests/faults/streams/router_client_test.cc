#include "tests/faults/streams/router_client.h"

#include <gtest/gtest.h>

#include <memory>

#include "tests/faults/cluster/eventually.h"
#include "tests/faults/streams/stream_checks.h"
#include "tests/faults/streams/transcript_testing.h"

namespace apollo {
namespace {

// A router that answers with tokens 0 to 5. The first stream breaks after
// `breaks_after` tokens.
class FakeRouter final : public v1::InferenceService::Service {
 public:
  explicit FakeRouter(int breaks_after) : breaks_after_(breaks_after) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  ~FakeRouter() override {
    server_->Shutdown(std::chrono::system_clock::now());
  }
  const std::string& address() const { return address_; }
  v1::GenerateRequest last() {
    MutexLock lock(mutex_);
    return last_;
  }

 private:
  grpc::Status Generate(
      grpc::ServerContext*, const v1::GenerateRequest* request,
      grpc::ServerWriter<v1::GenerateResponse>* writer) override {
    int first = 0;
    {
      MutexLock lock(mutex_);
      last_ = *request;
    }
    if (request->resume().choices_size() > 0) {
      first = request->resume().choices(0).token_ids_size();
    }
    if (breaks_after_ == 0) {
      return {grpc::StatusCode::UNAVAILABLE, "not yet"};
    }
    writer->Write(StartedEvent(/*seed=*/41));
    for (int i = first; i < 6; ++i) {
      if (i == breaks_after_) {
        return {grpc::StatusCode::UNAVAILABLE, "broken"};
      }
      writer->Write(DeltaEvent(0, i, {i}));
    }
    writer->Write(FinishedEvent(0, 6 - first));
    return grpc::Status::OK;
  }

  const int breaks_after_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  Mutex mutex_;
  v1::GenerateRequest last_ ABSL_GUARDED_BY(mutex_);
};

Transcript RunOne(const std::vector<std::string>& routers, bool resume) {
  RouterClient client(routers, {.resume = resume});
  StreamPlan plan;
  plan.request.set_prompt("p");
  plan.request.set_max_new_tokens(6);
  Cancellation cancellation;
  Transcript transcript(0, 1, Now());
  client.Run(
      plan, Now() + absl::Seconds(30), cancellation, [](const Transcript&) {},
      transcript);
  return transcript;
}

TEST(RouterClientTest, ABrokenStreamGoesOnAtTheNextRouter) {
  FakeRouter whole(/*breaks_after=*/100);
  const Transcript reference = RunOne({whole.address()}, /*resume=*/false);
  FakeRouter broken(/*breaks_after=*/2);
  const Transcript resumed =
      RunOne({broken.address(), whole.address()}, /*resume=*/true);
  EXPECT_EQ(CheckWhole(StreamPlan(), resumed, reference),
            std::vector<std::string>());
  EXPECT_EQ(resumed.streams, 2);
  const v1::Resume resume = whole.last().resume();
  EXPECT_EQ(resume.seed(), 41u);
  EXPECT_EQ(resume.language(), "en");
  EXPECT_EQ(resume.family(), 4);
  EXPECT_EQ(resume.numerics(), "cpu/f32+cpu/f32");
  ASSERT_EQ(resume.choices_size(), 1);
  EXPECT_EQ(resume.choices(0).token_ids_size(), 2);
  EXPECT_EQ(resume.choices(0).text_bytes(), std::string("0 1 ").size());
  EXPECT_FALSE(resume.choices(0).finished());
}

TEST(RouterClientTest, ARequestThatNeverBeganIsSentAgainAsItIs) {
  FakeRouter refusing(/*breaks_after=*/0), whole(/*breaks_after=*/100);
  const Transcript sent =
      RunOne({refusing.address(), whole.address()}, /*resume=*/true);
  EXPECT_TRUE(sent.status->ok());
  EXPECT_EQ(sent.streams, 1);
  EXPECT_FALSE(whole.last().has_resume());
  // As to a router that does not run.
  EXPECT_TRUE(
      RunOne({"127.0.0.1:1", whole.address()}, /*resume=*/true).status->ok());
}

TEST(RouterClientTest, WithoutResumeABrokenStreamFails) {
  FakeRouter broken(/*breaks_after=*/2), whole(/*breaks_after=*/100);
  const Transcript transcript =
      RunOne({broken.address(), whole.address()}, /*resume=*/false);
  EXPECT_EQ(transcript.status->error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(transcript.tokens(), 2);
}

TEST(RouterClientTest, ACancelledCallEnds) {
  FakeRouter whole(/*breaks_after=*/100);
  RouterClient client({whole.address()});
  StreamPlan plan;
  Cancellation cancellation;
  cancellation.Cancel();
  Transcript transcript(0, 1, Now());
  client.Run(
      plan, Now() + absl::Seconds(30), cancellation, [](const Transcript&) {},
      transcript);
  EXPECT_EQ(transcript.status->error_code(), grpc::StatusCode::CANCELLED);
}

}  // namespace
}  // namespace apollo

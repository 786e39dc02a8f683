#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "tools/apollo/channel.h"
#include "tools/apollo/fake_server.h"
#include "tools/apollo/generate.h"
#include "tools/apollo/parse.h"

namespace apollo::client {
namespace {

using ::testing::HasSubstr;

Options Ask(const std::string& text) {
  Options options;
  options.command = Command::kAsk;
  options.server = "fake:1";
  options.text = text;
  return options;
}

// Fails with the status, and the trailer, for the first `failures` calls.
FakeService::GenerateHandler FailFirst(int failures, grpc::Status status,
                                       std::string pushback = "") {
  auto calls = std::make_shared<std::atomic<int>>(0);
  return [=](grpc::ServerContext* context, const v1::GenerateRequest&,
             FakeService::Writer* writer) {
    if (calls->fetch_add(1) < failures) {
      if (!pushback.empty()) {
        context->AddTrailingMetadata("grpc-retry-pushback-ms", pushback);
      }
      return status;
    }
    writer->Write(Delta("fine"));
    return grpc::Status::OK;
  };
}

TEST(RetryTest, OneLossBeforeTheAnswerIsNotSeen) {
  FakeServer fake;
  fake.service.generate = FailFirst(1, Unavailable("worker lost", 1));
  EXPECT_EQ(fake.Run(Ask("?")), kOk);
  EXPECT_EQ(fake.out.str(), "fine\n");
  EXPECT_EQ(fake.err.str(), "");
  const auto requests = fake.service.generate_requests();
  ASSERT_EQ(requests.size(), 2u);
  // One name in the logs.
  EXPECT_EQ(requests[0].request_id().substr(0, 4), "cli-");
  EXPECT_EQ(requests[0].request_id(), requests[1].request_id());
}

TEST(RetryTest, TwoLossesAreReported) {
  FakeServer fake;
  fake.service.generate = FailFirst(9, Unavailable("worker lost", 1));
  EXPECT_EQ(fake.Run(Ask("?")), kFailed);
  const auto requests = fake.service.generate_requests();
  EXPECT_EQ(requests.size(), 2u);
  EXPECT_THAT(fake.err.str(), HasSubstr("error: UNAVAILABLE: worker lost\n"));
  EXPECT_THAT(fake.err.str(), HasSubstr("apollo status"));
  EXPECT_THAT(fake.err.str(), HasSubstr(requests[0].request_id()));
}

TEST(RetryTest, OnlyWhatTheServerWantsIsRepeated) {
  const std::vector<std::pair<grpc::Status, std::string>> wanted = {
      {grpc::Status(grpc::StatusCode::INTERNAL, "m"), ""},
      {grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "m"), "1"},
      {Unavailable("m", 1), "-1"},
      {Unavailable("m", 1), "soon"},
      {Unavailable("m", 1), "10001"}};
  for (const auto& [status, pushback] : wanted) {
    FakeServer fake;
    fake.service.generate = FailFirst(9, status, pushback);
    EXPECT_EQ(fake.Run(Ask("?")), kFailed);
    EXPECT_EQ(fake.service.generate_requests().size(), 1u) << pushback;
  }
}

TEST(RetryTest, TheTrailerPrecedesTheDetails) {
  FakeServer fake;
  // The details ask for more time than a user would wait.
  fake.service.generate = FailFirst(1, Unavailable("m", 999), "0");
  EXPECT_EQ(fake.Run(Ask("?")), kOk);
}

TEST(RetryTest, NothingIsRepeatedAfterAnEvent) {
  FakeServer fake;
  fake.service.generate = [](grpc::ServerContext*, const v1::GenerateRequest&,
                             FakeService::Writer* writer) {
    writer->Write(Started());
    return Unavailable("worker lost", 1);
  };
  EXPECT_EQ(fake.Run(Ask("?")), kFailed);
  EXPECT_EQ(fake.service.generate_requests().size(), 1u);
}

v1::GenerateResponse DeltaAt(std::uint32_t index, const std::string& text) {
  v1::GenerateResponse response = Delta(text);
  response.mutable_delta()->set_index(index);
  response.mutable_delta()->clear_token_ids();
  response.mutable_delta()->add_token_ids(7);
  return response;
}

TEST(RetryTest, AnotherRouterContinuesAnAnswer) {
  FakeServer fake;
  OtherRouter other;
  fake.other_services = {other.stub.get()};
  fake.service.generate = [](grpc::ServerContext*, const v1::GenerateRequest&,
                             FakeService::Writer* writer) {
    writer->Write(Started());
    writer->Write(DeltaAt(0, "one "));
    return Unavailable("the router stops", 0);
  };
  other.service.generate = [](grpc::ServerContext*, const v1::GenerateRequest&,
                              FakeService::Writer* writer) {
    writer->Write(Started());
    writer->Write(DeltaAt(1, "two"));
    return grpc::Status::OK;
  };
  EXPECT_EQ(fake.Run(Ask("?")), kOk);
  EXPECT_EQ(fake.out.str(), "one two\n");
  const auto requests = other.service.generate_requests();
  ASSERT_EQ(requests.size(), 1u);
  ASSERT_EQ(requests[0].resume().choices_size(), 1);
  EXPECT_EQ(requests[0].resume().choices(0).token_ids_size(), 1);
  EXPECT_EQ(requests[0].resume().choices(0).text_bytes(), 4u);
}

TEST(RetryTest, AnAnswerEndsOnceAllRoutersHaveFailed) {
  FakeServer fake;
  OtherRouter other;
  fake.other_services = {other.stub.get()};
  fake.service.generate = FailFirst(9, Unavailable("lost", 0));
  other.service.generate = FailFirst(9, Unavailable("lost", 0));
  EXPECT_EQ(fake.Run(Ask("?")), kFailed);
  EXPECT_EQ(fake.service.generate_requests().size() +
                other.service.generate_requests().size(),
            3u);
}

TEST(RetryTest, AnInterruptEndsThePause) {
  FakeServer fake;
  fake.service.generate = FailFirst(9, Unavailable("worker lost", 1), "9000");
  // Called while there is a call or a pause.
  std::thread user([&] {
    while (fake.service.generate_requests().empty()) std::this_thread::yield();
    while (!fake.interrupt.Cancel()) std::this_thread::yield();
  });
  EXPECT_EQ(fake.Run(Ask("?")), kInterrupted);
  user.join();
  EXPECT_EQ(fake.service.generate_requests().size(), 1u);
}

TEST(RetryTest, AnInterruptThatIsTooLateForTheCallEndsThePause) {
  Interrupt interrupt;
  {
    grpc::ClientContext context;
    const Interrupt::Scope scope(interrupt, context);
    EXPECT_TRUE(interrupt.Cancel());
  }
  EXPECT_FALSE(interrupt.Pause(std::chrono::hours(1)));
  EXPECT_TRUE(interrupt.TakeCancelled());
  EXPECT_TRUE(interrupt.Pause(std::chrono::milliseconds(0)));
}

TEST(RetryTest, ThePauseKeepsTheTimeLimit) {
  FakeServer fake;
  fake.service.generate = FailFirst(9, Unavailable("worker lost", 999), "9000");
  Options options = Ask("?");
  options.timeout = 8;  // Shorter than the pause.
  EXPECT_EQ(fake.Run(options), kFailed);
  EXPECT_EQ(fake.service.generate_requests().size(), 1u);
}

}  // namespace
}  // namespace apollo::client

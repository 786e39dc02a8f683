#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "clients/cpp/attempts.h"
#include "tools/apollo/channel.h"
#include "tools/apollo/fake_server.h"
#include "tools/apollo/generate.h"
#include "tools/apollo/parse.h"

namespace apollo::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Options Ask(const std::string& text) {
  Options options;
  options.command = Command::kAsk;
  options.server = "fake:1";
  options.text = text;
  return options;
}

// Trailers of a failure; empty: without.
struct Trailers {
  std::string pushback = {};
  std::string request_id = {};
};

// Fails with the status for the first `failures` calls.
FakeService::GenerateHandler FailFirst(int failures, grpc::Status status,
                                       Trailers trailers = {}) {
  auto calls = std::make_shared<std::atomic<int>>(0);
  return [=](grpc::ServerContext* context, const v1::GenerateRequest& request,
             FakeService::Writer* writer) {
    if (calls->fetch_add(1) < failures) {
      if (!trailers.pushback.empty()) {
        context->AddTrailingMetadata("grpc-retry-pushback-ms",
                                     trailers.pushback);
      }
      if (!trailers.request_id.empty()) {
        context->AddTrailingMetadata("x-request-id", trailers.request_id);
      }
      return status;
    }
    return Replies({Delta("fine"), Finished()})(context, request, writer);
  };
}

TEST(RetryTest, OneLossBeforeTheAnswerIsNotSeen) {
  FakeServer fake;
  fake.service.generate = FailFirst(1, Unavailable("worker lost", 1));
  EXPECT_EQ(fake.Run(Ask("?")), kOk);
  EXPECT_EQ(fake.out.str(), "fine\n");
  EXPECT_THAT(fake.err.str(), Not(HasSubstr("error")));
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

TEST(RetryTest, OnlyWhatTheClientClassesRepeatIsRepeated) {
  using grpc::StatusCode;
  struct Case {
    grpc::Status status;
    Trailers trailers;
  };
  for (const Case& unwanted : std::vector<Case>{
           {{StatusCode::INVALID_ARGUMENT, "m"}, {.pushback = "0"}},
           {{StatusCode::INTERNAL, "m"}, {.pushback = "0", .request_id = "r"}},
           {{StatusCode::RESOURCE_EXHAUSTED, "m"}, {}},
           {Unavailable("m", 1), {.pushback = "-1"}},
           {Unavailable("m", 1), {.pushback = "soon"}},
           // More time than a user would wait.
           {Unavailable("m", 1), {.pushback = "10001"}}}) {
    FakeServer fake;
    fake.service.generate = FailFirst(9, unwanted.status, unwanted.trailers);
    EXPECT_EQ(fake.Run(Ask("?")), kFailed);
    EXPECT_EQ(fake.service.generate_requests().size(), 1u)
        << unwanted.status.error_code() << unwanted.trailers.pushback;
  }
  for (const StatusCode code :
       {StatusCode::UNAVAILABLE, StatusCode::RESOURCE_EXHAUSTED,
        StatusCode::CANCELLED, StatusCode::INTERNAL, StatusCode::UNKNOWN}) {
    FakeServer fake;
    fake.service.generate = FailFirst(1, {code, "m"}, {.pushback = "0"});
    EXPECT_EQ(fake.Run(Ask("?")), kOk) << code;
  }
}

TEST(RetryTest, TheTrailerPrecedesTheDetails) {
  FakeServer fake;
  // The details ask for more time than a user would wait.
  fake.service.generate =
      FailFirst(1, Unavailable("m", 999), {.pushback = "0"});
  EXPECT_EQ(fake.Run(Ask("?")), kOk);
}

v1::GenerateResponse DeltaAt(std::uint32_t index, const std::string& text) {
  v1::GenerateResponse response = Delta(text);
  response.mutable_delta()->set_index(index);
  return response;
}

// Plays one script for each call; the last one repeats.
FakeService::GenerateHandler InTurn(
    std::vector<std::vector<v1::GenerateResponse>> scripts,
    std::vector<grpc::Status> ends) {
  auto calls = std::make_shared<std::atomic<std::size_t>>(0);
  return [=](grpc::ServerContext*, const v1::GenerateRequest&,
             FakeService::Writer* writer) {
    const std::size_t call = std::min(calls->fetch_add(1), scripts.size() - 1);
    for (const v1::GenerateResponse& event : scripts[call]) {
      writer->Write(event);
    }
    return ends[call];
  };
}

// Behind one address there may be several routers, or one that comes back.
TEST(RetryTest, AnAnswerIsContinuedAtTheSameAddress) {
  FakeServer fake;
  fake.service.generate =
      InTurn({{Started(), DeltaAt(0, "one ")},
              {},
              {},
              {Started(), DeltaAt(1, "two"), Finished()}},
             {Unavailable("the router stops", 1), Unavailable("it starts", 1),
              Unavailable("it starts", 1), grpc::Status::OK});
  EXPECT_EQ(fake.Run(Ask("?")), kOk);
  EXPECT_EQ(fake.out.str(), "one two\n");
  EXPECT_THAT(fake.err.str(), Not(HasSubstr("error")));
  const auto requests = fake.service.generate_requests();
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_FALSE(requests[0].has_resume());
  for (const std::size_t again : {1u, 2u, 3u}) {
    EXPECT_EQ(requests[again].request_id(), requests[0].request_id());
    ASSERT_EQ(requests[again].resume().choices_size(), 1);
    EXPECT_EQ(requests[again].resume().choices(0).token_ids_size(), 1);
  }
}

TEST(RetryTest, AnAnswerThatHasBegunIsNotContinuedForever) {
  FakeServer fake;
  fake.service.generate = InTurn(
      {{Started(), DeltaAt(0, "one ")}, {}},
      {Unavailable("the router stops", 1), Unavailable("it is gone", 1)});
  EXPECT_EQ(fake.Run(Ask("?")), kFailed);
  EXPECT_EQ(fake.out.str(), "one \n");
  EXPECT_THAT(fake.err.str(), HasSubstr("error: UNAVAILABLE: it is gone\n"));
  // The first one brought events.
  EXPECT_EQ(fake.service.generate_requests().size(),
            static_cast<std::size_t>(clients::kMaxAttempts));
}

// A router that stops closes the connection behind its last event.
TEST(RetryTest, AnAnswerIsWholeOnceItsChoicesHaveFinished) {
  using grpc::StatusCode;
  for (const StatusCode code :
       {StatusCode::UNAVAILABLE, StatusCode::CANCELLED, StatusCode::INTERNAL}) {
    FakeServer fake;
    fake.service.generate = InTurn({{Started(), DeltaAt(0, "one"), Finished()}},
                                   {{code, "Broken pipe"}});
    EXPECT_EQ(fake.Run(Ask("?")), kOk) << code;
    EXPECT_EQ(fake.out.str(), "one\n");
    EXPECT_THAT(fake.err.str(), Not(HasSubstr("Broken pipe")));
    EXPECT_EQ(fake.service.generate_requests().size(), 1u);
  }
}

TEST(RetryTest, AFragmentIsNoAnswer) {
  const std::vector<std::vector<v1::GenerateResponse>> fragments = {
      {Started(), DeltaAt(0, "one ")},
      {Started(), DeltaAt(0, "one "), DeltaAt(7, "gap"), Finished()}};
  for (const std::vector<v1::GenerateResponse>& fragment : fragments) {
    FakeServer fake;
    OtherRouter other;
    fake.other_services = {other.stub.get()};
    fake.service.generate = InTurn({fragment}, {grpc::Status::OK});
    other.service.generate = InTurn(
        {{Started(), DeltaAt(1, "two"), Finished()}}, {grpc::Status::OK});
    EXPECT_EQ(fake.Run(Ask("?")), kOk);
    EXPECT_EQ(fake.out.str(), "one two\n");
  }
}

TEST(RetryTest, AnotherRouterContinuesAnAnswer) {
  FakeServer fake;
  OtherRouter other;
  fake.other_services = {other.stub.get()};
  fake.service.generate = InTurn({{Started(), DeltaAt(0, "one ")}},
                                 {Unavailable("the router stops", 0)});
  other.service.generate =
      InTurn({{Started(), DeltaAt(1, "two"), Finished()}}, {grpc::Status::OK});
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
  fake.service.generate =
      FailFirst(9, Unavailable("worker lost", 1), {.pushback = "9000"});
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
  fake.service.generate =
      FailFirst(9, Unavailable("worker lost", 999), {.pushback = "9000"});
  Options options = Ask("?");
  options.timeout = 8;  // Shorter than the pause.
  EXPECT_EQ(fake.Run(options), kFailed);
  EXPECT_EQ(fake.service.generate_requests().size(), 1u);
}

}  // namespace
}  // namespace apollo::client

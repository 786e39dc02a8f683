#include "clients/cpp/client.h"

#include <gmock/gmock.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace apollo::clients {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Writer = grpc::ServerWriter<v1::GenerateResponse>;
using Script = std::function<grpc::Status(grpc::ServerContext*, Writer*)>;

// A router in this process. Each call of Generate plays the next script; the
// last one repeats.
class FakeRouter final : public v1::InferenceService::Service {
 public:
  explicit FakeRouter(std::vector<Script> scripts)
      : scripts_(std::move(scripts)) {
    grpc::ServerBuilder builder;
    builder.RegisterService(this);
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port_);
    server_ = builder.BuildAndStart();
  }
  ~FakeRouter() override { Stop(); }

  void Stop() { server_->Shutdown(std::chrono::system_clock::now()); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  std::vector<v1::GenerateRequest> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  grpc::Status Generate(grpc::ServerContext* context,
                        const v1::GenerateRequest* request,
                        Writer* writer) override {
    return Play(context, *request, writer);
  }
  grpc::Status Complete(grpc::ServerContext* context,
                        const v1::GenerateRequest* request,
                        v1::CompleteResponse* response) override {
    response->add_choices()->set_text("whole");
    return Play(context, *request, nullptr);
  }

 private:
  grpc::Status Play(grpc::ServerContext* context,
                    const v1::GenerateRequest& request, Writer* writer) {
    std::size_t number = 0;
    {
      const std::lock_guard lock(mutex_);
      number = std::min(requests_.size(), scripts_.size() - 1);
      requests_.push_back(request);
    }
    return scripts_[number](context, writer);
  }

  const std::vector<Script> scripts_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::mutex mutex_;
  std::vector<v1::GenerateRequest> requests_;
};

v1::GenerateResponse Started() {
  v1::GenerateResponse event;
  event.mutable_started()->set_request_id("given-by-router");
  event.mutable_started()->set_language("de");
  event.mutable_started()->set_family(4);
  event.mutable_started()->set_seed(99);
  event.mutable_started()->set_numerics("cpu/f32+cpu/f32");
  return event;
}

// Tokens have the ids 100, 101...
v1::GenerateResponse Delta(int index, const std::string& text, int choice = 0) {
  v1::GenerateResponse event;
  event.mutable_delta()->set_index(index);
  event.mutable_delta()->set_text(text);
  event.mutable_delta()->set_choice(choice);
  event.mutable_delta()->add_token_ids(100 + index);
  return event;
}

v1::GenerateResponse Finished(int choice = 0) {
  v1::GenerateResponse event;
  event.mutable_finished()->set_choice(choice);
  return event;
}

// Writes events, then ends with the status and a pushback trailer, unless
// empty.
Script Play(std::vector<v1::GenerateResponse> events,
            grpc::Status status = grpc::Status::OK,
            const std::string& pushback = "") {
  return [=](grpc::ServerContext* context, Writer* writer) {
    for (const auto& event : events) {
      if (writer != nullptr) writer->Write(event);
    }
    if (!pushback.empty()) {
      context->AddTrailingMetadata("grpc-retry-pushback-ms", pushback);
    }
    return status;
  };
}

Script Fail(grpc::StatusCode code, const std::string& pushback = "") {
  return Play({}, grpc::Status(code, "m"), pushback);
}

constexpr auto kLost = grpc::StatusCode::UNAVAILABLE;

// What a user of the client sees.
struct Seen {
  grpc::Status status;
  std::vector<std::string> events;
  std::string text;
  std::vector<absl::Duration> pauses;
};

ClientOptions OptionsFor(std::vector<std::string> routers, Seen* seen) {
  ClientOptions options;
  options.routers = std::move(routers);
  options.pause = [seen](absl::Duration time) { seen->pauses.push_back(time); };
  options.random = [] { return 1.0; };
  return options;
}

void Ask(Client& client, const v1::GenerateRequest& request, Seen* seen,
         const CallOptions& options = {}) {
  seen->status = client.Generate(
      request,
      [seen](const v1::GenerateResponse& event) {
        seen->events.push_back(event.has_started()    ? "started"
                               : event.has_finished() ? "finished"
                               : event.has_delta()    ? "delta"
                                                      : "logprobs");
        seen->text += event.delta().text();
        return true;
      },
      options);
}

TEST(ClientTest, ContinuesABrokenAnswerOnAnotherRouter) {
  FakeRouter first({Play({Started(), Delta(0, "a"), Delta(1, "b")},
                         grpc::Status(kLost, "worker lost"))});
  FakeRouter second({Play({Started(), Delta(2, "c"), Finished()}),
                     Play({Started(), Finished()})});
  Seen seen;
  Client client(OptionsFor({first.address(), second.address()}, &seen));
  v1::GenerateRequest request;
  request.set_prompt("p");
  request.set_max_new_tokens(3);
  Ask(client, request, &seen);
  EXPECT_TRUE(seen.status.ok()) << seen.status.error_message();
  EXPECT_THAT(seen.events,
              ElementsAre("started", "delta", "delta", "delta", "finished"));
  EXPECT_EQ(seen.text, "abc");
  EXPECT_THAT(seen.pauses, IsEmpty());
  ASSERT_EQ(second.requests().size(), 1u);
  const v1::GenerateRequest resumed = second.requests()[0];
  EXPECT_EQ(resumed.prompt(), "p");
  EXPECT_EQ(resumed.max_new_tokens(), 3u);
  EXPECT_EQ(resumed.request_id(), "given-by-router");
  EXPECT_EQ(resumed.resume().seed(), 99u);
  EXPECT_EQ(resumed.resume().language(), "de");
  EXPECT_EQ(resumed.resume().family(), 4);
  EXPECT_EQ(resumed.resume().numerics(), "cpu/f32+cpu/f32");
  ASSERT_EQ(resumed.resume().choices_size(), 1);
  EXPECT_THAT(resumed.resume().choices(0).token_ids(), ElementsAre(100, 101));
  EXPECT_EQ(resumed.resume().choices(0).text_bytes(), 2u);
  EXPECT_FALSE(resumed.resume().choices(0).finished());
  // The router that worked is the first one of the next call.
  Ask(client, request, &seen);
  EXPECT_EQ(first.requests().size(), 1u);
  EXPECT_EQ(second.requests().size(), 2u);
}

TEST(ClientTest, FinishedChoicesAreNotAskedForAgain) {
  FakeRouter router(
      {Play({Started(), Delta(0, "a", 1), Finished(1), Delta(0, "b", 0)}),
       Play({Started(), Delta(1, "c", 0), Finished(0)})});
  Seen seen;
  Client client(OptionsFor({router.address()}, &seen));
  v1::GenerateRequest request;
  request.mutable_sampling()->set_choices(2);
  Ask(client, request, &seen);
  EXPECT_TRUE(seen.status.ok()) << seen.status.error_message();
  EXPECT_EQ(seen.text, "abc");
  ASSERT_EQ(router.requests().size(), 2u);
  const v1::Resume resume = router.requests()[1].resume();
  EXPECT_THAT(resume.choices(0).token_ids(), ElementsAre(100));
  EXPECT_FALSE(resume.choices(0).finished());
  EXPECT_TRUE(resume.choices(1).finished());
}

TEST(ClientTest, ARequestThatHasNotStartedIsRepeatedAsAWhole) {
  FakeRouter router({Fail(kLost, "1234"), Play({Started(), Finished()})});
  Seen seen;
  Client client(OptionsFor({router.address()}, &seen));
  Ask(client, {}, &seen);
  EXPECT_TRUE(seen.status.ok());
  EXPECT_THAT(seen.events, ElementsAre("started", "finished"));
  EXPECT_THAT(seen.pauses, ElementsAre(absl::Milliseconds(1234)));
  EXPECT_FALSE(router.requests()[1].has_resume());
}

TEST(ClientTest, ABreakBehindTheLastEventIsNone) {
  using grpc::StatusCode;
  for (const StatusCode code :
       {kLost, StatusCode::CANCELLED, StatusCode::INTERNAL,
        StatusCode::DEADLINE_EXCEEDED}) {
    FakeRouter router({Play({Started(), Finished()}, grpc::Status(code, "m"))});
    Seen seen;
    Client client(OptionsFor({router.address()}, &seen));
    Ask(client, {}, &seen);
    EXPECT_TRUE(seen.status.ok()) << seen.status.error_message();
    EXPECT_THAT(seen.events, ElementsAre("started", "finished"));
    EXPECT_EQ(router.requests().size(), 1u);
  }
}

TEST(ClientTest, ARefusedResumeFails) {
  FakeRouter router({Fail(grpc::StatusCode::INVALID_ARGUMENT)});
  Seen seen;
  Client client(OptionsFor({router.address()}, &seen));
  v1::GenerateRequest request;
  request.mutable_resume()->add_choices()->set_finished(true);
  Ask(client, request, &seen);
  EXPECT_EQ(seen.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST(ClientTest, EventsThatDoNotFollowAreNotShown) {
  FakeRouter router({Play({Started(), Delta(0, "a"), Delta(2, "x")}),
                     Play({Started(), Delta(0, "y")}),
                     Play({Started(), Delta(1, "b"), Finished()})});
  Seen seen;
  Client client(OptionsFor({router.address()}, &seen));
  Ask(client, {}, &seen);
  EXPECT_TRUE(seen.status.ok());
  EXPECT_EQ(seen.text, "ab");
}

// gRPC itself cancels a call that comes while a router begins to stop.
TEST(ClientTest, WhatNoRouterHasSentIsRepeated) {
  using grpc::StatusCode;
  for (const StatusCode code :
       {StatusCode::INTERNAL, StatusCode::UNKNOWN, StatusCode::CANCELLED}) {
    FakeRouter router({Fail(code), Play({Started(), Finished()})});
    Seen seen;
    Client client(OptionsFor({router.address()}, &seen));
    Ask(client, {}, &seen);
    EXPECT_TRUE(seen.status.ok()) << seen.status.error_message();
    EXPECT_EQ(router.requests().size(), 2u);

    FakeRouter itself({[code](grpc::ServerContext* context, Writer*) {
      context->AddTrailingMetadata("x-request-id", "r");
      return grpc::Status(code, "m");
    }});
    Client second(OptionsFor({itself.address()}, &seen));
    Ask(second, {}, &seen);
    EXPECT_EQ(seen.status.error_code(), code);
    EXPECT_EQ(itself.requests().size(), 1u);
  }
}

TEST(ClientTest, OnlyWhatMaySucceedIsRepeated) {
  using grpc::StatusCode;
  for (const StatusCode code :
       {StatusCode::INVALID_ARGUMENT, StatusCode::FAILED_PRECONDITION,
        StatusCode::PERMISSION_DENIED, StatusCode::DEADLINE_EXCEEDED,
        StatusCode::RESOURCE_EXHAUSTED}) {
    FakeRouter router({Fail(code)});
    Seen seen;
    Client client(OptionsFor({router.address()}, &seen));
    Ask(client, {}, &seen);
    EXPECT_EQ(seen.status.error_code(), code);
    EXPECT_EQ(router.requests().size(), 1u);
  }
  const std::vector<std::pair<StatusCode, std::string>> hints = {
      {kLost, "-1"}, {kLost, "soon"}, {StatusCode::RESOURCE_EXHAUSTED, "-1"}};
  for (const auto& [code, pushback] : hints) {
    FakeRouter router({Fail(code, pushback)});
    Seen seen;
    Client client(OptionsFor({router.address()}, &seen));
    Ask(client, {}, &seen);
    EXPECT_EQ(router.requests().size(), 1u) << pushback;
  }
  FakeRouter router({Fail(StatusCode::RESOURCE_EXHAUSTED, "5"),
                     Play({Started(), Finished()})});
  Seen seen;
  Client client(OptionsFor({router.address()}, &seen));
  Ask(client, {}, &seen);
  EXPECT_TRUE(seen.status.ok());
}

TEST(ClientTest, AttemptsWithoutProgressAreBounded) {
  FakeRouter router({Fail(kLost), Play({Started()}), Fail(kLost)});
  Seen seen;
  ClientOptions options = OptionsFor({router.address()}, &seen);
  options.max_attempts = 3;
  options.first_pause = absl::Seconds(1);
  options.longest_pause = absl::Seconds(3);
  Client client(options);
  Ask(client, {}, &seen);
  EXPECT_EQ(seen.status.error_code(), kLost);
  // The second attempt brought `started`.
  EXPECT_EQ(router.requests().size(), 4u);
  EXPECT_THAT(seen.pauses, ElementsAre(absl::Seconds(1), absl::Seconds(1),
                                       absl::Seconds(2)));
}

TEST(ClientTest, ADeadRouterCostsNoPause) {
  FakeRouter dead({Fail(kLost)});
  FakeRouter router({Play({Started(), Finished()})});
  Seen seen;
  Client client(OptionsFor({dead.address(), router.address()}, &seen));
  dead.Stop();
  Ask(client, {}, &seen);
  EXPECT_TRUE(seen.status.ok()) << seen.status.error_message();
  EXPECT_THAT(seen.pauses, IsEmpty());
}

TEST(ClientTest, NoPauseGoesBeyondTheDeadline) {
  FakeRouter router({Fail(kLost, "3600000")});
  Seen seen;
  Client client(OptionsFor({router.address()}, &seen));
  CallOptions options;
  options.deadline = absl::Now() + absl::Minutes(10);
  Ask(client, {}, &seen, options);
  EXPECT_EQ(seen.status.error_code(), kLost);
  EXPECT_THAT(seen.pauses, IsEmpty());
}

// Waits until the client has gone.
grpc::Status Hang(grpc::ServerContext* context, Writer* writer) {
  writer->Write(Started());
  while (!context->IsCancelled()) std::this_thread::yield();
  return grpc::Status::OK;
}

TEST(ClientTest, ASilentRouterIsLeft) {
  FakeRouter silent({Hang});
  FakeRouter router({Play({Started(), Delta(0, "a"), Finished()})});
  Seen seen;
  ClientOptions options =
      OptionsFor({silent.address(), router.address()}, &seen);
  // Long enough for the other router, however busy the machine is.
  options.idle_limit = absl::Seconds(3);
  Client client(options);
  Ask(client, {}, &seen);
  EXPECT_TRUE(seen.status.ok()) << seen.status.error_message();
  EXPECT_THAT(seen.events, ElementsAre("started", "delta", "finished"));
}

TEST(ClientTest, TheUserCancels) {
  FakeRouter router({Hang});
  Seen seen;
  Client client(OptionsFor({router.address()}, &seen));
  EXPECT_EQ(
      client.Generate({}, [](const v1::GenerateResponse&) { return false; })
          .error_code(),
      grpc::StatusCode::CANCELLED);
  Cancellation cancellation;
  CallOptions options;
  options.cancellation = &cancellation;
  EXPECT_EQ(client
                .Generate(
                    {},
                    [&](const v1::GenerateResponse&) {
                      cancellation.Cancel();
                      return true;
                    },
                    options)
                .error_code(),
            grpc::StatusCode::CANCELLED);
  EXPECT_EQ(router.requests().size(), 2u);
  // Also calls that begin later.
  Ask(client, {}, &seen, options);
  EXPECT_EQ(seen.status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(router.requests().size(), 2u);
}

TEST(ClientTest, UnaryCallsAreRepeatedAsAWhole) {
  FakeRouter router({Fail(kLost, "7"), Play({})});
  Seen seen;
  Client client(OptionsFor({router.address()}, &seen));
  v1::CompleteResponse response;
  EXPECT_TRUE(client.Complete({}, &response).ok());
  ASSERT_EQ(response.choices_size(), 1);
  EXPECT_EQ(response.choices(0).text(), "whole");
  EXPECT_THAT(seen.pauses, ElementsAre(absl::Milliseconds(7)));
}

TEST(ClientTest, WithoutRoutersNothingCanBeAsked) {
  Client client(ClientOptions{});
  v1::ScoreResponse response;
  EXPECT_EQ(client.Score({}, &response).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

}  // namespace
}  // namespace apollo::clients

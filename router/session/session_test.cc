#include "router/session/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>

#include "router/access/pass_testing.h"
#include "router/session/session_fixture.h"

namespace apollo {
namespace {

using testing::HasSubstr;
using testing::Not;
using Where = ScriptedBackend::Where;

TEST_F(SessionTest, CancellingReachesEverySequenceAndEndsTheCallAtOnce) {
  KeepingGenerateWriter writer;
  GenerateInput input = Prompt("x");
  input.choices = 2;
  const auto session = Generate(input, writer);
  Sequence(0).Started();
  session->Cancel(absl::CancelledError("gone"));
  ASSERT_TRUE(writer.ended.has_value());
  EXPECT_EQ(writer.ended->code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(Sequence(0).cancelled());
  EXPECT_TRUE(Sequence(1).cancelled());
  // Tokens in flight are dropped, and nothing ends twice.
  Sequence(0).Say("late");
  Sequence(0).Finish(absl::CancelledError("cancelled"));
  session->Cancel(absl::CancelledError("again"));
  EXPECT_EQ(writer.Text(), "");
}

TEST_F(SessionTest, AFailedChoiceEndsTheCallAndCancelsTheOthers) {
  KeepingGenerateWriter writer;
  GenerateInput input = Prompt("x");
  input.choices = 3;
  const auto session = Generate(input, writer);
  // The sequences finish within Cancel.
  for (const int i : {0, 2}) {
    ScriptedSequence& other = Sequence(i);
    other.OnCancel([&other] { other.Finish(absl::CancelledError("")); });
  }
  Sequence(1).Finish(absl::InternalError("broken"));
  ASSERT_TRUE(writer.ended.has_value());
  EXPECT_EQ(*writer.ended, absl::InternalError("broken"));
  EXPECT_TRUE(Sequence(0).cancelled());
  EXPECT_FALSE(Sequence(1).cancelled());
  EXPECT_TRUE(Sequence(2).cancelled());
}

TEST_F(SessionTest, ABackendMayFinishWithinStart) {
  backend_->Play(
      [](ScriptedSequence& s) {
        s.Started();
        s.Say("ab!");
        s.Finish(FinishCause::kEos);
      },
      Where::kCaller);
  KeepingGenerateWriter writer;
  GenerateInput input = Prompt("x");
  input.choices = 2;
  input.stops = {"!"};
  const auto session = Generate(input, writer);
  EXPECT_EQ(writer.Text(0), "ab");
  EXPECT_EQ(writer.Text(1), "ab");
  ASSERT_TRUE(writer.ended.has_value());
  EXPECT_TRUE(writer.ended->ok());
}

TEST_F(SessionTest, AfterAFailureWithinStartNoOtherSequenceIsStarted) {
  backend_->Play(
      [](ScriptedSequence& s) {
        s.Finish(absl::ResourceExhaustedError("too many sequences"));
      },
      Where::kCaller);
  KeepingGenerateWriter writer;
  GenerateInput input = Prompt("x");
  input.choices = 3;
  const auto session = Generate(input, writer);
  EXPECT_TRUE(writer.events.empty());
  ASSERT_TRUE(writer.ended.has_value());
  EXPECT_EQ(writer.ended->code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(backend_->sequences().size(), 1u) << "the others are not needed";
}

TEST_F(SessionTest, AWrongRequestEndsBeforeAnythingIsStarted) {
  KeepingGenerateWriter writer;
  const auto session = GenerateSession::Make(Context(), PassOf(""), writer);
  session->Start([]() -> absl::StatusOr<GenerateInput> {
    return absl::InvalidArgumentError("wrong");
  });
  EXPECT_EQ(*writer.ended, absl::InvalidArgumentError("wrong"));
  EXPECT_TRUE(backend_->sequences().empty());
}

TEST_F(SessionTest, EverySequenceKnowsTheDeadlineOfTheCall) {
  KeepingGenerateWriter writer;
  const auto session = GenerateSession::Make(Context(), PassOf(""), writer);
  session->SetDeadline(absl::Seconds(1234));
  session->Start([]() -> absl::StatusOr<GenerateInput> {
    GenerateInput input = Prompt("x");
    input.choices = 2;
    return input;
  });
  ASSERT_EQ(backend_->sequences().size(), 2u);
  for (const int i : {0, 1}) {
    EXPECT_EQ(Sequence(i).request.deadline, absl::Seconds(1234));
  }
}

TEST_F(SessionTest, WhateverEndsACallIsLoggedWithItsRequest) {
  KeepingGenerateWriter wrong, cancelled;
  testing::internal::CaptureStderr();
  const auto refused = GenerateSession::Make(Context(), PassOf(""), wrong);
  refused->SetRequestId("refused-1");
  refused->Start([]() -> absl::StatusOr<GenerateInput> {
    return absl::InvalidArgumentError("wrong");
  });
  refused->Close();
  const auto session = Generate(Prompt("x"), cancelled);
  const std::string id = session->request_id();
  session->Cancel(absl::CancelledError("the client cancelled the request"));
  session->Close();
  Sequence(0).Finish(absl::CancelledError("cancelled"));
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("\"request_id\":\"refused-1\",\"method\":"
                             "\"Generate\",\"code\":\"INVALID_ARGUMENT\","
                             "\"reason\":\"wrong\""));
  EXPECT_FALSE(id.empty());
  EXPECT_THAT(log,
              HasSubstr("\"request_cancelled\",\"request_id\":\"" + id +
                        "\",\"method\":\"Generate\",\"code\":"
                        "\"CANCELLED\",\"reason\":\"the client cancelled"));
}

TEST_F(SessionTest, CountsAsRunningUntilItIsGone) {
  KeepingGenerateWriter writer;
  auto session = Generate(Prompt("four"), writer);
  Sequence(0).Started();
  Sequence(0).Say("abc");
  session->Cancel(absl::DeadlineExceededError("too late"));
  session->Close();
  EXPECT_THAT(Metrics(), HasSubstr("code=\"DEADLINE_EXCEEDED\""));
  EXPECT_THAT(Metrics(), Not(HasSubstr("CANCELLED")));
  EXPECT_THAT(Metrics(), HasSubstr("apollo_prompt_tokens_total 4\n"));
  EXPECT_THAT(Metrics(), HasSubstr("apollo_generation_tokens_total 3\n"));
  session.reset();
  // The sequence still holds cache in the cluster.
  EXPECT_THAT(Metrics(), HasSubstr("apollo_num_requests_running 1\n"));
  Sequence(0).Finish(absl::CancelledError("cancelled"));
  EXPECT_THAT(Metrics(), HasSubstr("apollo_num_requests_running 0\n"));
}

TEST_F(SessionTest, TheOutcomeIsCountedOnceTheFrontIsDone) {
  KeepingGenerateWriter writer;
  const auto session = Generate(Prompt("x"), writer);
  Sequence(0).Started();
  Sequence(0).Finish(FinishCause::kEos);
  EXPECT_THAT(Metrics(), Not(HasSubstr("code=")));
  clock_.now += absl::Seconds(3);
  session->Close();
  session->Close();
  EXPECT_THAT(Metrics(), HasSubstr("code=\"OK\",method=\"Generate\"} 1\n"));
  EXPECT_THAT(Metrics(),
              HasSubstr("apollo_e2e_request_latency_seconds_sum{method="
                        "\"Generate\"} 3\n"));
}

TEST_F(SessionTest, AFrontThatIsDoneEarlyCancels) {
  KeepingGenerateWriter writer;
  const auto session = Generate(Prompt("x"), writer);
  session->Close();
  EXPECT_TRUE(Sequence(0).cancelled());
  EXPECT_FALSE(writer.ended.has_value());
  Sequence(0).Say("late");
  EXPECT_TRUE(writer.events.empty());
  EXPECT_TRUE(backend_->AwaitNoHandles());
}

TEST_F(SessionTest, MoreCallsThanMayRunAreRefusedUntilOneIsGone) {
  SetLimits({.max_calls = 2});
  KeepingGenerateWriter writers[4];
  auto first = Generate(Prompt("x"), writers[0]);
  const auto second = Generate(Prompt("x"), writers[1]);
  bool read = false;
  {
    const auto third = GenerateSession::Make(Context(), PassOf(""), writers[2]);
    third->Start([&] {
      read = true;
      return Prompt("x");
    });
    ASSERT_TRUE(writers[2].ended.has_value());
    EXPECT_EQ(writers[2].ended->code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(writers[2].ended->message()), HasSubstr("2 calls"));
    third->Close();
  }
  EXPECT_FALSE(read) << "a refused call must cost nothing";
  EXPECT_EQ(backend_->sequences().size(), 2u);
  // Ended, but not destroyed yet.
  Sequence(0).Finish(FinishCause::kEos);
  first->Close();
  first.reset();
  const auto fourth = Generate(Prompt("x"), writers[3]);
  EXPECT_FALSE(writers[3].ended.has_value());
}

// As a router that is drained does.
TEST_F(SessionTest, NewCallsAreTurnedAwayWhileOthersEnd) {
  KeepingGenerateWriter writers[2];
  auto first = Generate(Prompt("x"), writers[0]);
  EXPECT_FALSE(calls_->turns_away());
  calls_->TurnAway();
  EXPECT_TRUE(calls_->turns_away());
  const auto second = Generate(Prompt("x"), writers[1]);
  ASSERT_TRUE(writers[1].ended.has_value());
  EXPECT_EQ(writers[1].ended->code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(writers[1].ended->message()),
              HasSubstr("out of service"));
  EXPECT_EQ(backend_->sequences().size(), 1u);
  EXPECT_EQ(calls_->running(), 1);
  Sequence(0).Finish(FinishCause::kEos);
  EXPECT_TRUE(writers[0].ended->ok()) << *writers[0].ended;
  first->Close();
  first.reset();
  EXPECT_EQ(calls_->running(), 0);
}

// As a router that is about to stop does.
TEST_F(SessionTest, AllCallsEndTogether) {
  KeepingGenerateWriter writers[2];
  auto first = Generate(Prompt("x"), writers[0]);
  auto second = Generate(Prompt("x"), writers[1]);
  Sequence(1).Finish(FinishCause::kEos);
  EXPECT_EQ(calls_->running(), 2);
  calls_->CancelAll(absl::UnavailableError("stopping"));
  EXPECT_EQ(*writers[0].ended, absl::UnavailableError("stopping"));
  EXPECT_TRUE(writers[1].ended->ok()) << *writers[1].ended;
  EXPECT_TRUE(Sequence(0).cancelled());
  first->Close();
  second->Close();
  first.reset();
  second.reset();
  Sequence(0).Finish(absl::CancelledError(""));
  EXPECT_TRUE(backend_->AwaitNoHandles());
  EXPECT_EQ(calls_->running(), 0);
}

TEST_F(SessionTest, TheTableWaitsForCallsThatTheBackendStillHolds) {
  SetLimits({}, absl::Hours(1));  // However late the other thread is.
  KeepingGenerateWriter writer;
  auto session = Generate(Prompt("x"), writer);
  session->Close();
  session.reset();
  std::thread later([this] { Sequence(0).Finish(absl::CancelledError("")); });
  calls_.reset();
  EXPECT_THAT(Metrics(), HasSubstr("apollo_num_requests_running 0\n"));
  later.join();
}

TEST_F(SessionTest, FailuresAreLoggedUpToANumberAndSuccessesByOne) {
  testing::internal::CaptureStderr();
  constexpr int kFailures = FailureLog::kLines + 9;
  for (int i = 0; i < kFailures; ++i) {
    KeepingGenerateWriter writer;
    const auto session = Generate(Prompt("x"), writer);
    Sequence(i).Finish(absl::UnavailableError("gone"));
    session->Close();
  }
  clock_.now += absl::Seconds(1);
  calls_->Tick();
  const std::string failed = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(failed.begin(), failed.end(), '\n'),
            FailureLog::kLines + 1)
      << failed;
  EXPECT_THAT(failed, HasSubstr("\"requests\":9"));
  testing::internal::CaptureStderr();
  KeepingGenerateWriter writer;
  const auto session = Generate(Prompt("four"), writer);
  Sequence(kFailures).Finish(FinishCause::kEos);
  session->Close();
  const std::string done = testing::internal::GetCapturedStderr();
  EXPECT_THAT(done, HasSubstr("\"event\":\"request_finished\""));
  EXPECT_THAT(done, HasSubstr("\"method\":\"Generate\""));
  EXPECT_THAT(done, HasSubstr("\"prompt_tokens\":4"));
  EXPECT_THAT(done, Not(HasSubstr("four")));
}

}  // namespace
}  // namespace apollo

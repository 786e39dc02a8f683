// The audit log of sessions: what it has, and when.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/json.h"
#include "common/retry_hint.h"
#include "router/access/pass_testing.h"
#include "router/audit/audit_log.h"
#include "router/audit/keeping_sink.h"
#include "router/request/field_error.h"
#include "router/session/session_fixture.h"

namespace apollo {
namespace {

class AuditTest : public SessionTest {
 protected:
  AuditTest() {
    auto sink = std::make_unique<KeepingSink>();
    sink_ = sink.get();
    log_ = std::make_unique<AuditLog>(std::move(sink), Clock::Real());
    log_->Flush();
    SetAudit(log_.get());
  }
  ~AuditTest() override {
    sink_->Hang(false);
    log_.reset();
  }

  // Waits until the thread of the log has let all calls so far go.
  void AwaitCalls() {
    auto done = std::make_shared<std::promise<void>>();
    AuditEntry entry;
    entry.request_id = "marker";
    log_->WriteFirst(entry, [done](const absl::Status&) { done->set_value(); });
    done->get_future().wait();
  }
  // Returns the lines about calls.
  std::vector<Json> Lines() {
    log_->Flush();
    std::vector<Json> lines = sink_->Lines();
    std::erase_if(lines, [](const Json& line) {
      return line["event"] == "log_opened" ||
             line.value("request_id", "") == "marker";
    });
    return lines;
  }

  KeepingSink* sink_;
  std::unique_ptr<AuditLog> log_;
  KeepingGenerateWriter writer_, other_writer_;
};

TEST_F(AuditTest, ACallHasAStartAndAnEnd) {
  GenerateInput input = Prompt("the canary");
  input.input.request_id = "mine";
  input.input.language = "de";
  input.choices = 2;
  auto pass = PassOf("clinic");
  pass->SetCertificate("ab12");
  auto session = GenerateSession::Make(Context(), std::move(pass), writer_);
  session->Start([&] { return input; });
  AwaitCalls();
  ASSERT_EQ(backend_->sequences().size(), 2u);
  for (int i : {0, 1}) Sequence(i).Started();
  Sequence(0).Say("abc");
  Sequence(0).Finish(FinishCause::kEos);
  Sequence(1).Say("de");
  Sequence(1).Finish(FinishCause::kLength);
  clock_.now += absl::Seconds(2);
  session->Close();

  const std::vector<Json> lines = Lines();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["event"], "request_started");
  EXPECT_EQ(lines[1]["event"], "request_ended");
  for (const Json& line : lines) {
    EXPECT_EQ(line["request_id"], "mine");
    EXPECT_EQ(line["caller"], "clinic");
    EXPECT_EQ(line["certificate_sha256"], "ab12");
    EXPECT_EQ(line["method"], "Generate");
    EXPECT_EQ(line["language"], "de");
    EXPECT_EQ(line["model_hash"], "scripted");
    EXPECT_EQ(line["prompt_tokens"], Sequence(0).request.prompt.size());
    EXPECT_EQ(line["resumed"], false);
    EXPECT_EQ(line.dump().find("canary"), std::string::npos);
  }
  EXPECT_EQ(lines[1]["code"], "OK");
  EXPECT_EQ(lines[1]["answer_tokens"], 5);
  EXPECT_EQ(lines[1]["finish_reasons"], Json({"eos", "length"}));
  EXPECT_EQ(lines[1]["seconds"], 2.0);
}

TEST_F(AuditTest, NothingRunsBeforeTheStartIsWritten) {
  sink_->Hang(true);
  auto session = Generate(Prompt("x"), writer_);
  sink_->AwaitAppends(2);
  EXPECT_TRUE(backend_->sequences().empty());
  EXPECT_TRUE(writer_.events.empty());
  sink_->Hang(false);
  AwaitCalls();
  ASSERT_EQ(backend_->sequences().size(), 1u);
  Sequence(0).Finish(FinishCause::kEos);
  session->Close();
}

TEST_F(AuditTest, ACallWhoseStartCannotBeWrittenIsRefusedAndRunsNothing) {
  sink_->Fail(absl::ResourceExhaustedError("full"));
  {
    auto session = Generate(Prompt("x"), writer_);
    log_->Flush();
    auto other = Generate(Prompt("x"), other_writer_);  // At once.
    ASSERT_TRUE(other_writer_.ended.has_value());
    EXPECT_EQ(other_writer_.ended->code(), absl::StatusCode::kUnavailable);
    EXPECT_TRUE(RetryHintOf(*other_writer_.ended).has_value());
    other->Close();
    session->Close();
  }
  EXPECT_TRUE(backend_->sequences().empty());
  sink_->Fail(absl::OkStatus());
  log_->Tick();
  const std::vector<Json> lines = Lines();
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines.back()["event"], "log_resumed");
  EXPECT_EQ(lines.back()["refused_calls"], 2);
}

// The metrics of accepted calls, such as the tokens of prompts, are about calls
// that may run.
TEST_F(AuditTest, ACallIsAcceptedOnceItsStartIsWritten) {
  sink_->Fail(absl::ResourceExhaustedError("full"));
  auto refused = Generate(Prompt("x"), other_writer_);
  log_->Flush();
  refused->Close();
  const std::string none = "apollo_prompt_tokens_total 0\n";
  EXPECT_THAT(Metrics(), testing::HasSubstr(none));
  sink_->Fail(absl::OkStatus());
  log_->Tick();
  log_->Flush();
  auto session = Generate(Prompt("x"), writer_);
  AwaitCalls();
  EXPECT_THAT(Metrics(), testing::Not(testing::HasSubstr(none)));
  session->Close();
}

TEST_F(AuditTest, CallsThatThePolicyRefusesAreCountedBeyondAFew) {
  for (int i = 0; i < RefusedCalls::kEntries + 3; ++i) {
    KeepingGenerateWriter writer;
    auto session = GenerateSession::Make(Context(), PassOf("clinic"), writer);
    session->Refuse(absl::PermissionDeniedError("no"));
    EXPECT_EQ(writer.ended, absl::PermissionDeniedError("no"));
    session->Close();
  }
  const std::vector<Json> lines = Lines();
  ASSERT_EQ(lines.size(), static_cast<std::size_t>(RefusedCalls::kEntries));
  EXPECT_EQ(lines[0]["event"], "request_ended");
  EXPECT_EQ(lines[0]["caller"], "clinic");
  EXPECT_EQ(lines[0]["code"], "PERMISSION_DENIED");
  EXPECT_EQ(log_->counters().counted, 3);
}

TEST_F(AuditTest, ACallThatEndsWhileItsStartIsWrittenRunsNothing) {
  sink_->Hang(true);
  auto session = Generate(Prompt("x"), writer_);
  sink_->AwaitAppends(2);
  session->Cancel(absl::CancelledError("gone"));
  session->Close();
  sink_->Hang(false);
  AwaitCalls();
  const std::vector<Json> lines = Lines();
  EXPECT_TRUE(backend_->sequences().empty());
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1]["code"], "CANCELLED");
}

TEST_F(AuditTest, AWrongRequestHasOnlyAnEnd) {
  auto session = GenerateSession::Make(Context(), PassOf(""), writer_);
  session->Start([]() -> absl::StatusOr<GenerateInput> {
    return FieldError("prompt", "is empty");
  });
  session->Close();
  const std::vector<Json> lines = Lines();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["event"], "request_ended");
  EXPECT_EQ(lines[0]["code"], "INVALID_ARGUMENT");
}

TEST_F(AuditTest, AResumedAnswerThatIsCompleteIsTold) {
  GenerateInput input = Prompt("x");
  input.max_new_tokens = 1;
  input.resume.emplace();
  ResumedAnswer& received = input.resume->choices.emplace_back();
  received.tokens = *model_->tokenizer->Encode("a", SpecialText::kPlain);
  received.finished = true;
  auto session = Generate(input, writer_);
  AwaitCalls();
  EXPECT_EQ(writer_.ended, absl::OkStatus());
  EXPECT_THAT(writer_.events, testing::SizeIs(1));  // Started.
  session->Close();
  EXPECT_EQ(Lines().back()["resumed"], true);
}

TEST_F(AuditTest, AScoreHasItsTokens) {
  KeepingScoreWriter writer;
  auto session = Score({"a", "b"}, writer);
  AwaitCalls();
  ASSERT_EQ(backend_->sequences().size(), 2u);
  session->Cancel(absl::DeadlineExceededError("too late"));
  session->Close();
  const std::vector<Json> lines = Lines();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["method"], "Score");
  EXPECT_GT(lines[0]["prompt_tokens"], 0);
  EXPECT_EQ(lines[1]["code"], "DEADLINE_EXCEEDED");
}

}  // namespace
}  // namespace apollo

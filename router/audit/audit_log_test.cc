#include "router/audit/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <utility>

#include "common/fake_clock.h"
#include "common/retry_hint.h"
#include "router/audit/keeping_sink.h"
#include "serving/counters_testing.h"

namespace apollo {
namespace {

using testing::ElementsAre;

TEST(AuditCountersTest, EachCounterIsPublishedOnce) {
  ExpectWholeTable(kAuditMetrics);
}

AuditEntry Start(const std::string& id) {
  AuditEntry entry;
  entry.event = AuditEntry::Event::kStarted;
  entry.request_id = id;
  return entry;
}

AuditEntry End(const std::string& id) {
  AuditEntry entry;
  entry.request_id = id;
  return entry;
}

class AuditLogTest : public testing::Test {
 protected:
  AuditLogTest() {
    auto sink = std::make_unique<KeepingSink>();
    sink_ = sink.get();
    log_ = std::make_unique<AuditLog>(std::move(sink), clock_, /*dropped=*/7,
                                      kMostKept);
    log_->Flush();
  }
  ~AuditLogTest() override {
    sink_->Hang(false);
    log_.reset();
  }

  std::future<absl::Status> WriteFirst(const std::string& id) {
    auto result = std::make_shared<std::promise<absl::Status>>();
    log_->WriteFirst(Start(id), [result](const absl::Status& status) {
      result->set_value(status);
    });
    return result->get_future();
  }
  // Returns what each line is about: a request, or the event.
  std::vector<std::string> Lines() {
    std::vector<std::string> all;
    for (const Json& line : sink_->Lines()) {
      all.push_back(line.value("request_id", line["event"]));
    }
    return all;
  }
  // Makes the log fail, with an end of "kept" that it keeps.
  void MakeFail() {
    sink_->Fail(absl::ResourceExhaustedError("the disk is full"));
    log_->Write(End("kept"));
    log_->Flush();
    ASSERT_EQ(log_->counters().failing, 1);
  }

  static constexpr std::size_t kMostKept = 100;

  SharedClock clock_;
  KeepingSink* sink_;
  std::unique_ptr<AuditLog> log_;
};

TEST_F(AuditLogTest, BeginsWithWhatAKilledRouterLeft) {
  ASSERT_THAT(Lines(), ElementsAre("log_opened"));
  EXPECT_EQ(sink_->Lines()[0]["dropped_bytes"], 7);
}

TEST_F(AuditLogTest, ACallIsLetThroughOnceItsStartIsWritten) {
  sink_->Hang(true);
  std::future<absl::Status> result = WriteFirst("a");
  sink_->AwaitAppends(2);
  EXPECT_EQ(result.wait_for(std::chrono::seconds(0)),
            std::future_status::timeout);
  sink_->Hang(false);
  EXPECT_TRUE(result.get().ok());
  log_->Write(End("a"));
  log_->Flush();
  EXPECT_THAT(Lines(), ElementsAre("log_opened", "a", "a"));
  EXPECT_EQ(log_->counters().written, 3);
}

TEST_F(AuditLogTest, EntriesThatComeDuringAWriteAreWrittenTogether) {
  sink_->Hang(true);
  log_->Write(End("a"));
  sink_->AwaitAppends(2);
  for (const char* id : {"b", "c", "d"}) log_->Write(End(id));
  sink_->Hang(false);
  log_->Flush();
  EXPECT_THAT(Lines(), ElementsAre("log_opened", "a", "b", "c", "d"));
  sink_->AwaitAppends(3);  // And no more.
}

TEST_F(AuditLogTest, ACallWhoseStartCannotBeWrittenIsRefused) {
  sink_->Fail(absl::ResourceExhaustedError("the disk is full"));
  const absl::Status refused = WriteFirst("a").get();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(RetryHintOf(refused), AuditLog::kRetryAfter);
  // Others at once, without another write.
  EXPECT_EQ(WriteFirst("b").get().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(log_->counters().refused, 2);
  EXPECT_EQ(log_->counters().failing, 1);
}

TEST_F(AuditLogTest, ItRecoversWithATickAndTellsWhatItMissed) {
  MakeFail();
  EXPECT_FALSE(WriteFirst("refused").get().ok());
  log_->Write(End("later"));
  log_->Tick();  // Still full.
  log_->Flush();
  EXPECT_THAT(Lines(), ElementsAre("log_opened"));
  sink_->Fail(absl::OkStatus());
  log_->Tick();
  log_->Flush();
  EXPECT_THAT(Lines(),
              ElementsAre("log_opened", "kept", "later", "log_resumed"));
  EXPECT_EQ(sink_->Lines().back()["refused_calls"], 1);
  EXPECT_EQ(sink_->Lines().back()["lost_entries"], 0);
  EXPECT_EQ(log_->counters().failing, 0);
  EXPECT_TRUE(WriteFirst("next").get().ok());
}

TEST_F(AuditLogTest, RefusedCallsPushOutNoCallThatRan) {
  MakeFail();
  for (std::size_t i = 0; i < 2 * kMostKept; ++i) {
    log_->Write(End("x"), /*ran=*/false);
  }
  const std::int64_t lost = log_->counters().lost;
  log_->Write(End("ran"));
  EXPECT_EQ(log_->counters().lost, lost);
}

AuditEntry Refused(const std::string& caller) {
  AuditEntry entry = End("refused");
  entry.caller.name = caller;
  entry.code = "PERMISSION_DENIED";
  return entry;
}

// Otherwise anybody who can connect rotates the log away.
TEST_F(AuditLogTest, RefusedCallsAreCountedBeyondAFew) {
  constexpr int kMore = 1000;
  for (int i = 0; i < RefusedCalls::kEntries + kMore; ++i) {
    log_->WriteRefused(Refused(""));
  }
  log_->WriteRefused(Refused("clinic"));
  log_->Flush();
  EXPECT_EQ(Lines().size(), 1u + RefusedCalls::kEntries + 1);
  EXPECT_EQ(log_->counters().counted, kMore);
  EXPECT_EQ(log_->counters().lost, 0);
  clock_.Pass(RefusedCalls::kWindow);
  log_->Tick();
  log_->Flush();
  const Json line = sink_->Lines().back();
  EXPECT_EQ(line["event"], "calls_refused");
  EXPECT_EQ(line["calls"], kMore);
  EXPECT_EQ(line["caller"], "");
  log_->WriteRefused(Refused(""));  // The next window.
  log_->Flush();
  EXPECT_EQ(Lines().back(), "refused");
}

TEST_F(AuditLogTest, RefusedCallsAreCountedWhileTheLogFails) {
  while (log_->counters().counted == 0) log_->WriteRefused(Refused(""));
  log_->Flush();
  MakeFail();
  clock_.Pass(2 * RefusedCalls::kWindow);
  log_->WriteRefused(Refused(""));
  log_->Tick();
  log_->Flush();
  EXPECT_EQ(log_->counters().counted, 2);
  sink_->Fail(absl::OkStatus());
  log_->Tick();  // Writes again.
  log_->Flush();
  log_->Tick();
  log_->Flush();
  EXPECT_EQ(sink_->Lines().back()["event"], "calls_refused");
  EXPECT_EQ(sink_->Lines().back()["calls"], 2);
}

TEST_F(AuditLogTest, LinesBeingWrittenCountForTheBound) {
  sink_->Hang(true);
  log_->Write(End("first"));
  sink_->AwaitAppends(2);
  for (std::size_t i = 0; i < kMostKept; ++i) log_->Write(End("x"));
  EXPECT_EQ(log_->counters().lost, 1);
}

TEST_F(AuditLogTest, EntriesBeyondTheBoundAreCountedInTheLog) {
  MakeFail();
  for (std::size_t i = 0; i < kMostKept + 4; ++i) {
    log_->Write(End("x"));
  }
  EXPECT_EQ(log_->counters().lost, 5);  // One place is that of "kept".
  sink_->Fail(absl::OkStatus());
  log_->Tick();
  log_->Flush();
  EXPECT_EQ(sink_->Lines().back()["lost_entries"], 5);
  EXPECT_EQ(sink_->Lines().size(), kMostKept + 2);
}

TEST_F(AuditLogTest, AFileThatDoesNotRespondRefusesCalls) {
  sink_->Hang(true);
  std::future<absl::Status> writing = WriteFirst("writing");
  sink_->AwaitAppends(2);
  std::future<absl::Status> queued = WriteFirst("queued");
  clock_.Pass(AuditLog::kPatience - absl::Milliseconds(1));
  log_->Tick();
  EXPECT_EQ(log_->counters().failing, 0);
  clock_.Pass(absl::Milliseconds(1));
  log_->Tick();
  EXPECT_EQ(writing.get().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(queued.get().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(WriteFirst("later").get().ok());
  // What was on its way arrives; what was not does not.
  sink_->Hang(false);
  log_->Flush();
  log_->Tick();
  log_->Flush();
  EXPECT_THAT(Lines(), ElementsAre("log_opened", "writing", "log_resumed"));
  EXPECT_EQ(sink_->Lines().back()["refused_calls"], 3);
  EXPECT_EQ(log_->counters().failing, 0);
}

TEST(AuditLogEndTest, AWriteThatHangsIsLeftToItself) {
  struct Events {
    std::promise<void> begun, go, gone;
  };
  struct Hanging final : AuditSink {
    explicit Hanging(std::shared_ptr<Events> events)
        : events(std::move(events)) {}
    ~Hanging() override { events->gone.set_value(); }
    absl::Status Append(std::string_view /*lines*/) override {
      events->begun.set_value();
      events->go.get_future().wait();
      return absl::OkStatus();
    }
    const std::shared_ptr<Events> events;
  };
  const auto events = std::make_shared<Events>();
  {
    const SharedClock clock;
    AuditLog log(std::make_unique<Hanging>(events), clock,
                 /*dropped_bytes=*/0, AuditLog::kMostKept,
                 /*end_patience=*/absl::ZeroDuration());
    events->begun.get_future().wait();
  }  // Returns.
  events->go.set_value();
  events->gone.get_future().wait();
}

TEST_F(AuditLogTest, ItsEndWritesWhatIsQueued) {
  struct Shared final : AuditSink {
    explicit Shared(KeepingSink& to) : to(to) {}
    absl::Status Append(std::string_view lines) override {
      return to.Append(lines);
    }
    KeepingSink& to;
  };
  KeepingSink kept;
  {
    AuditLog log(std::make_unique<Shared>(kept), clock_);
    for (int i = 0; i < 100; ++i) log.Write(End("a"));
    for (int i = 0; i < RefusedCalls::kEntries + 2; ++i) {
      log.WriteRefused(Refused("b"));
    }
  }
  EXPECT_EQ(kept.Lines().size(), 102u + RefusedCalls::kEntries);
  EXPECT_EQ(kept.Lines().back()["calls"], 2);
}

TEST(AuditLogOpenTest, NoFileMeansNoLogAndErrorsNameTheFlag) {
  auto none = AuditLog::Open({}, Clock::Real());
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(*none, nullptr);
  AuditFile::Options options;
  options.path = testing::TempDir() + "/missing/audit";
  const auto wrong = AuditLog::Open(options, Clock::Real());
  EXPECT_THAT(std::string(wrong.status().message()),
              testing::HasSubstr("--audit_log: cannot open " + options.path));
}

}  // namespace
}  // namespace apollo

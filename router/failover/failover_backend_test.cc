#include "router/failover/failover_backend.h"

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <memory>
#include <string>
#include <utility>

#include "common/fake_clock.h"
#include "router/failover/scripted_pool.h"
#include "sequence/prompt_hashes.h"
#include "sequence/recording_sink.h"
#include "sequence/sequence_end.h"
#include "sequence/shared_numerics.h"
#include "tracing/recording_tracer.h"
#include "tracing/trace_context.h"

namespace apollo {
namespace {

const SequenceNumerics kCpu = {"cpu/f32/f32/1", "cpu/f32/f32/1"};
const SequenceNumerics kGpu = {"cuda/sm_90/bf16/bf16/1", "cpu/f32/f32/1"};

absl::Status Lost() {
  return WithEnd(absl::UnavailableError("gone"), SequenceEnd::kLost);
}
absl::Status Moved() {
  return WithEnd(absl::UnavailableError("stops"), SequenceEnd::kMoved);
}
GenerationFinished Finished(FinishCause cause = FinishCause::kEos) {
  return {cause, {}, {}};
}

class FailoverBackendTest : public testing::Test {
 protected:
  void Begin(GenerationRequest request = Request()) {
    call_ = backend_.Start(std::move(request), sink_);
  }
  static GenerationRequest Request() {
    GenerationRequest request;
    request.request_id = "r";
    request.prompt = {1, 2, 3};
    request.max_new_tokens = 10;
    request.sampling.seed = 7;
    request.sampling.presence_penalty = 1;
    request.top_logprobs = 2;
    request.use_with_tokens = true;
    request.priority = 3;
    request.end_tokens = {9};
    request.shorten_to_cache = true;
    request.cache_salt = "tenant";
    return request;
  }
  // Runs what is due and returns the run that was started last.
  ScriptedRun& Next() {
    backend_.RunDue();
    return pool_.run(pool_.runs() - 1);
  }
  std::string Metrics() {
    return prometheus::TextSerializer().Serialize(registry_.Collect());
  }
  bool Counts(const std::string& line) {
    return Metrics().find(line + "\n") != std::string::npos;
  }

  FakeClock clock_;
  prometheus::Registry registry_;
  ScriptedPool pool_{{"a", "b", "c"}};
  RecordingTracer tracer_;
  FailoverBackend backend_{pool_, {}, registry_, clock_, &tracer_};
  const std::shared_ptr<RecordingSink> sink_ =
      std::make_shared<RecordingSink>();
  std::unique_ptr<GenerationCall> call_;
};

TEST_F(FailoverBackendTest, WithoutAFailureNothingChanges) {
  Begin();
  EXPECT_TRUE(pool_.run(0).request == Request());
  pool_.run(0).Started(kCpu);
  pool_.run(0).Token(0, 50);
  pool_.run(0).Token(1, 51);
  pool_.run(0).End(Finished());
  EXPECT_EQ(sink_->text(), "started by a 0:50 1:51 finished");
  EXPECT_EQ(pool_.runs(), 1u);
}

// However many tokens had come when the worker was lost, the client sees one
// answer.
TEST_F(FailoverBackendTest, AnAnswerGoesOnAfterALossAtEveryToken) {
  for (int lost_at = 0; lost_at <= 10; ++lost_at) {
    ScriptedPool pool({"a", "b"});
    prometheus::Registry registry;
    FailoverBackend backend(pool, {}, registry, clock_);
    auto sink = std::make_shared<RecordingSink>();
    const auto call = backend.Start(Request(), sink);
    pool.run(0).Started(kCpu);
    for (int i = 0; i < lost_at; ++i) pool.run(0).Token(i, 50 + i);
    pool.run(0).End(Lost());
    backend.RunDue();
    ASSERT_EQ(pool.runs(), 2u);
    ScriptedRun& second = pool.run(1);
    EXPECT_EQ(second.worker, "b");
    const int resent = std::max(lost_at - 1, 0);
    GenerationRequest expected = Request();
    for (int i = 0; i < resent; ++i) expected.prompt.push_back(50 + i);
    expected.answer_tokens = resent;
    expected.max_new_tokens = 10 - resent;
    expected.numerics = kCpu;
    EXPECT_TRUE(second.request == expected) << lost_at;
    second.Started(kCpu);
    for (int i = resent; i < 10; ++i) second.Token(i, 50 + i);
    second.End(Finished(FinishCause::kLength));
    EXPECT_EQ(sink->text(),
              "started by a 0:50 1:51 2:52 3:53 4:54 5:55 6:56 7:57 8:58 9:59 "
              "finished");
    EXPECT_EQ(sink->finishes(), 1);
  }
}

// So that the prompt is not hashed again for the choice of the next worker.
TEST_F(FailoverBackendTest, AContinuationHasTheHashesOfThePrompt) {
  GenerationRequest request = Request();
  request.prompt_hashes = std::make_shared<PromptHashes>();
  const auto hashes = request.prompt_hashes;
  Begin(std::move(request));
  pool_.run(0).Started(kCpu);
  pool_.run(0).Token(0, 50);
  pool_.run(0).Token(1, 51);
  pool_.run(0).End(Lost());
  EXPECT_EQ(Next().request.prompt_hashes, hashes);
  EXPECT_EQ(pool_.runs(), 2u);
}

TEST_F(FailoverBackendTest, AnAnswerMovesSeveralTimes) {
  Begin();
  pool_.run(0).Started(kCpu);
  pool_.run(0).Token(0, 50);
  pool_.run(0).End(Moved());
  ScriptedRun& second = Next();
  EXPECT_EQ(second.worker, "b");
  second.Started(kCpu);
  second.Token(0, 50);
  second.Token(1, 51);
  second.End(Lost());
  ScriptedRun& third = Next();
  EXPECT_EQ(third.worker, "a");  // A new token has come since it was lost.
  EXPECT_EQ(third.request.answer_tokens, 1);
  third.Started(kCpu);
  third.Token(1, 51);
  third.Token(2, 52);
  third.End(Finished());
  EXPECT_EQ(sink_->text(), "started by a 0:50 1:51 2:52 finished");
  EXPECT_TRUE(Counts("apollo_sequences_reissued_total{cause=\"moved\"} 1"));
  EXPECT_TRUE(Counts("apollo_sequences_reissued_total{cause=\"lost\"} 1"));
  for (const std::string cause : {"moved", "lost"}) {
    EXPECT_TRUE(Counts("apollo_reissue_pause_seconds_count{cause=\"" + cause +
                       "\"} 1"));
  }
  EXPECT_TRUE(Counts("apollo_reissue_pause_seconds_count{cause=\"silent\"} 0"));
  EXPECT_EQ(pool_.suspects(), (std::set<std::string>{"a", "b"}));
}

TEST_F(FailoverBackendTest, ARequestThatBeganElsewhereCountsItsTokens) {
  GenerationRequest request = Request();
  request.answer_tokens = 2;
  Begin(request);
  pool_.run(0).Started(kCpu);
  pool_.run(0).Token(2, 50);
  pool_.run(0).Token(3, 51);
  pool_.run(0).End(Lost());
  ScriptedRun& second = Next();
  EXPECT_EQ(second.request.prompt, (std::vector<std::int32_t>{1, 2, 3, 50}));
  EXPECT_EQ(second.request.answer_tokens, 3);
  EXPECT_EQ(second.request.max_new_tokens, 9);
  second.Started(kCpu);
  second.Token(3, 51);
  second.Token(4, 52);
  second.End(Finished());
  EXPECT_EQ(sink_->text(), "started by a 2:50 3:51 4:52 finished");
}

TEST_F(FailoverBackendTest, LogprobsOfThePromptAreNotRepeated) {
  GenerationRequest request = Request();
  request.prompt_logprobs = 0;
  Begin(request);
  pool_.run(0).Started(kCpu);
  pool_.run(0).sink->OnPrompt({1, {{2, -1}}});
  pool_.run(0).End(Lost());
  ScriptedRun& second = Next();
  EXPECT_EQ(second.request.prompt_logprobs, 0);
  EXPECT_TRUE(second.request.numerics == kCpu);
  second.Started(kCpu);
  second.sink->OnPrompt({1, {{2, -1}, {3, -2}}});
  second.Token(0, 50);
  second.End(Lost());
  ScriptedRun& third = Next();
  EXPECT_EQ(third.request.prompt_logprobs, std::nullopt);
  third.Started(kCpu);
  third.Token(0, 50);
  third.Token(1, 51);
  third.End(Finished());
  EXPECT_EQ(sink_->text(),
            "started by a prompt 1:2=-1/0 prompt 2:3=-2/0 0:50 1:51 finished");
}

TEST_F(FailoverBackendTest, ScoringBeginsAnew) {
  GenerationRequest request;
  request.prompt = {1, 2, 3};
  request.score_tokens = 2;
  Begin(request);
  pool_.run(0).Started(kCpu);
  pool_.run(0).End(Lost());
  EXPECT_TRUE(Next().request == request);
  pool_.run(1).Started(kGpu);
  pool_.run(1).End(GenerationFinished{FinishCause::kScored, {}, {-1, -2}});
  EXPECT_EQ(sink_->text(), "started by a finished");
}

TEST_F(FailoverBackendTest, OnlyEqualNumericsContinueAnAnswer) {
  Begin();
  pool_.run(0).Started(kCpu);
  pool_.run(0).Token(0, 50);
  pool_.run(0).End(Lost());
  // A worker of an older release, which does not know the field, starts it.
  ScriptedRun& second = Next();
  second.Started(std::nullopt);
  EXPECT_TRUE(second.IsCancelled());
  second.Token(0, 50);
  second.Token(1, 99);
  second.End(absl::CancelledError("cancelled"));
  ScriptedRun& third = Next();
  EXPECT_EQ(third.worker, "c");
  third.Started(kGpu);
  third.End(absl::CancelledError("cancelled"));
  backend_.RunDue();
  EXPECT_EQ(sink_->finishes(), 0);  // It waits for the first worker.
  EXPECT_EQ(sink_->text(), "started by a 0:50");
  clock_.now += absl::Seconds(1);
  ScriptedRun& fourth = Next();
  EXPECT_EQ(fourth.worker, "a");
  fourth.Started(kCpu);
  fourth.Token(0, 50);
  fourth.End(Finished());
  EXPECT_EQ(sink_->text(), "started by a 0:50 finished");
}

// The client resumes a broken stream with those of `started`.
TEST_F(FailoverBackendTest, TheNumericsThatWereToldAreThoseOfTheTokens) {
  Begin();
  pool_.run(0).Started(kCpu);
  pool_.run(0).End(Lost());
  EXPECT_TRUE(Next().request.numerics == kCpu);
  pool_.run(1).Started(kGpu);
  EXPECT_TRUE(pool_.run(1).IsCancelled());
}

TEST_F(FailoverBackendTest, BeforeTheStartAnyNumericsWillDo) {
  Begin();
  pool_.run(0).End(Lost());
  EXPECT_EQ(Next().request.numerics, std::nullopt);
  pool_.run(1).Started(kGpu);
  pool_.run(1).Token(0, 50);
  pool_.run(1).End(Lost());
  EXPECT_TRUE(Next().request.numerics == kGpu);
}

// The client is told one of them, and resumes all choices with it.
TEST_F(FailoverBackendTest, TheChoicesOfARequestHaveTheSameNumerics) {
  GenerationRequest request = Request();
  request.shared_numerics = std::make_shared<SharedNumerics>();
  Begin(request);
  auto other_sink = std::make_shared<RecordingSink>();
  const auto other = backend_.Start(request, other_sink);
  pool_.run(1).Started(kCpu);
  // The first choice was placed before that, on a worker with others.
  pool_.run(0).Started(kGpu);
  EXPECT_TRUE(pool_.run(0).IsCancelled());
  pool_.run(0).Token(0, 99);
  pool_.run(0).End(absl::CancelledError("cancelled"));
  ScriptedRun& again = Next();
  EXPECT_EQ(again.worker, "b");
  EXPECT_TRUE(again.request.numerics == kCpu);
  again.Started(kCpu);
  again.Token(0, 50);
  again.End(Finished());
  EXPECT_EQ(sink_->text(), "started by b 0:50 finished");
  EXPECT_FALSE(pool_.run(1).IsCancelled());
  EXPECT_EQ(pool_.suspects(), std::set<std::string>{});
}

TEST_F(FailoverBackendTest, AChoiceThatIsLostBeforeItsStartIsHeldToThem) {
  GenerationRequest request = Request();
  request.shared_numerics = std::make_shared<SharedNumerics>();
  Begin(request);
  pool_.run(0).End(Lost());
  request.shared_numerics->Settle(kGpu);
  EXPECT_TRUE(Next().request.numerics == kGpu);
  pool_.run(1).Started(std::nullopt);  // Of an older release.
  EXPECT_TRUE(pool_.run(1).IsCancelled());
}

TEST_F(FailoverBackendTest, AWorkerThatGivesAnotherTokenDoesNotGoOn) {
  Begin();
  pool_.run(0).Started(kCpu);
  pool_.run(0).Token(0, 50);
  pool_.run(0).End(Lost());
  ScriptedRun& second = Next();
  second.Started(kCpu);
  second.Token(0, 77);
  EXPECT_TRUE(second.IsCancelled());
  second.Token(1, 78);
  second.End(absl::CancelledError("cancelled"));
  EXPECT_EQ(sink_->text(), "started by a 0:50 INTERNAL");
}

TEST_F(FailoverBackendTest, AnEndInPlaceOfTheLastTokenIsAnError) {
  Begin();
  pool_.run(0).Started(kCpu);
  pool_.run(0).Token(0, 50);
  pool_.run(0).End(Lost());
  ScriptedRun& second = Next();
  second.Started(kCpu);
  second.End(Finished());
  EXPECT_EQ(sink_->text(), "started by a 0:50 INTERNAL");
}

TEST_F(FailoverBackendTest, ErrorsOfTheRequestAreNotRepeated) {
  for (const absl::Status& error :
       {absl::InvalidArgumentError("bad"), absl::InternalError("bad"),
        absl::FailedPreconditionError("bad"), absl::DataLossError("bad")}) {
    auto sink = std::make_shared<RecordingSink>();
    const std::size_t before = pool_.runs();
    const auto call = backend_.Start(Request(), sink);
    pool_.run(before).End(error);
    backend_.RunDue();
    EXPECT_EQ(sink->status(), error);
    EXPECT_EQ(pool_.runs(), before + 1);
  }
}

TEST_F(FailoverBackendTest, ARefusedRequestIsTriedOnceOnEachWorker) {
  Begin();
  for (std::size_t i = 0; i < 3; ++i) {
    pool_.run(i).End(absl::ResourceExhaustedError("full"));
    backend_.RunDue();
  }
  EXPECT_EQ(pool_.runs(), 3u);
  EXPECT_EQ(sink_->status(), absl::ResourceExhaustedError("full"));
  EXPECT_TRUE(Counts("apollo_sequences_given_up_total 1"));
}

TEST_F(FailoverBackendTest, ARequestThatKillsTwoWorkersDoesNotReachTheThird) {
  Begin();
  for (int i = 0; i < 2; ++i) {
    pool_.run(i).Started(kCpu);
    pool_.run(i).End(Lost());
    backend_.RunDue();
  }
  EXPECT_EQ(pool_.runs(), 2u);
  EXPECT_EQ(sink_->text(), "started by a UNAVAILABLE");
}

TEST_F(FailoverBackendTest, TheOnlyWorkerIsAwaited) {
  pool_.SetUp("b", false);
  pool_.SetUp("c", false);
  Begin();
  pool_.run(0).Started(kCpu);
  pool_.run(0).Token(0, 50);
  pool_.SetUp("a", false);
  pool_.run(0).End(Lost());
  for (int i = 0; i < 40; ++i) {
    clock_.now += absl::Milliseconds(100);
    backend_.RunDue();
  }
  EXPECT_EQ(sink_->text(), "started by a 0:50");
  pool_.SetUp("a", true);
  clock_.now += absl::Seconds(1);
  ScriptedRun& second = Next();
  second.Started(kCpu);
  second.Token(0, 50);
  second.Token(1, 51);
  second.End(Finished());
  EXPECT_EQ(sink_->text(), "started by a 0:50 1:51 finished");
  EXPECT_FALSE(Counts("apollo_reissue_pauses_total 0"));
}

TEST_F(FailoverBackendTest, ThePatienceEnds) {
  Begin();
  pool_.run(0).Started(kCpu);
  for (const char* name : {"a", "b", "c"}) pool_.SetUp(name, false);
  pool_.run(0).End(Lost());
  for (int i = 0; i < 12; ++i) {
    backend_.RunDue();
    clock_.now += absl::Seconds(1);
  }
  EXPECT_EQ(sink_->text(), "started by a UNAVAILABLE");
}

TEST_F(FailoverBackendTest, ACancelledSequenceIsNotRunAgain) {
  Begin();
  pool_.run(0).Started(kCpu);
  call_->Cancel();
  EXPECT_TRUE(pool_.run(0).IsCancelled());
  pool_.run(0).End(Lost());
  backend_.RunDue();
  EXPECT_EQ(pool_.runs(), 1u);
  EXPECT_EQ(sink_->text(), "started by a CANCELLED");
}

TEST_F(FailoverBackendTest, ASequenceThatWaitsIsCancelledAtOnce) {
  Begin();
  for (const char* name : {"a", "b", "c"}) pool_.SetUp(name, false);
  pool_.run(0).End(Lost());
  call_->Cancel();
  EXPECT_EQ(sink_->text(), " CANCELLED");
  call_->Cancel();
  call_->SetPaused(true);
  backend_.RunDue();
  EXPECT_EQ(sink_->finishes(), 1);
}

TEST_F(FailoverBackendTest, ACancelWithinTheStartOfAnAttemptIsNotLost) {
  Begin();
  pool_.Play([this](ScriptedRun&) { call_->Cancel(); });
  pool_.run(0).End(Lost());
  EXPECT_TRUE(Next().IsCancelled());
}

TEST_F(FailoverBackendTest, APauseHoldsForTheNextAttempt) {
  Begin();
  pool_.run(0).Started(kCpu);
  call_->SetPaused(true);
  EXPECT_TRUE(pool_.run(0).IsPaused());
  pool_.run(0).End(Lost());
  EXPECT_TRUE(Next().IsPaused());
  call_->SetPaused(false);
  EXPECT_FALSE(pool_.run(1).IsPaused());
}

TEST_F(FailoverBackendTest, APauseWhileItWaitsHoldsToo) {
  Begin();
  pool_.run(0).End(Lost());
  call_->SetPaused(true);
  call_->SetPaused(false);
  call_->SetPaused(true);
  EXPECT_TRUE(Next().IsPaused());
}

TEST_F(FailoverBackendTest, WorkersThatFailWithinTheStartAreReplaced) {
  pool_.Play([](ScriptedRun& run) {
    if (run.worker != "c") run.End(Moved());
  });
  Begin();
  backend_.RunDue();
  backend_.RunDue();
  pool_.run(2).Started(kCpu);
  pool_.run(2).Token(0, 50);
  pool_.run(2).End(Finished());
  EXPECT_EQ(sink_->text(), "started by c 0:50 finished");
}

TEST_F(FailoverBackendTest, WithoutAnyWorkerARequestFailsAtOnce) {
  for (const char* name : {"a", "b", "c"}) pool_.SetUp(name, false);
  Begin();
  EXPECT_EQ(sink_->text(), " UNAVAILABLE");
  EXPECT_EQ(sink_->status().message(), "no dense worker is ready");
}

// A router that was frozen finds its connections closed: the requests that it
// gets until it knows more must not fail.
TEST_F(FailoverBackendTest, ARequestWaitsForWorkersThatMayBeBack) {
  for (const char* name : {"a", "b", "c"}) pool_.SetUp(name, false);
  pool_.SetEndWithoutWorker(SequenceEnd::kUndecided);
  Begin();
  EXPECT_EQ(sink_->finishes(), 0);
  clock_.now += absl::Milliseconds(50);
  backend_.RunDue();
  EXPECT_EQ(sink_->finishes(), 0);
  pool_.SetUp("b", true);
  clock_.now += absl::Milliseconds(50);
  Next().Started(kCpu);
  Next().Token(0, 50);
  Next().End(Finished());
  EXPECT_EQ(sink_->text(), "started by b 0:50 finished");
}

// "A refused sequence is tried once on each other worker", also while another
// worker was just lost: those that are left have enough to do.
TEST_F(FailoverBackendTest, ARefusalIsFinalWhileAnotherWorkerMayBeBack) {
  for (const char* name : {"b", "c"}) pool_.SetUp(name, false);
  pool_.SetEndWithoutWorker(SequenceEnd::kUndecided);
  Begin();
  pool_.run(0).End(absl::ResourceExhaustedError("full"));
  for (int i = 0; i < 12; ++i) {  // Two for each pause: 300 ms.
    clock_.now += absl::Milliseconds(25);
    backend_.RunDue();
    if (sink_->finishes() == 0 && pool_.runs() > 1) {
      pool_.run(pool_.runs() - 1).End(absl::ResourceExhaustedError("full"));
    }
  }
  EXPECT_EQ(pool_.runs(), 1u);  // Was 7.
  EXPECT_EQ(sink_->text(), " RESOURCE_EXHAUSTED");
}

// It has never been run, so nothing was run again: an alert counts those.
TEST_F(FailoverBackendTest, ARequestThatOnlyWaitedIsNotGivenUp) {
  for (const char* name : {"a", "b", "c"}) pool_.SetUp(name, false);
  pool_.SetEndWithoutWorker(SequenceEnd::kUndecided);
  Begin();
  pool_.SetEndWithoutWorker(SequenceEnd::kAnswered);
  clock_.now += absl::Milliseconds(50);
  backend_.RunDue();
  EXPECT_EQ(sink_->text(), " UNAVAILABLE");
  EXPECT_TRUE(Counts("apollo_sequences_given_up_total 0"));
}

// Each attempt is a span below that of the request, and its sequence runs below
// it.
TEST_F(FailoverBackendTest, EachAttemptOfATracedRequestIsASpan) {
  GenerationRequest request = Request();
  request.trace = ParseTraceparent(
      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  const TraceContext call = *request.trace;
  Begin(request);
  const TraceContext first = *pool_.run(0).request.trace;
  pool_.run(0).Started(kCpu);
  pool_.run(0).Token(0, 50);
  clock_.now += absl::Seconds(1);
  pool_.run(0).End(Lost());
  ScriptedRun& second = Next();
  const TraceContext again = *second.request.trace;
  second.Started(kCpu);
  second.Token(0, 50);
  second.End(Finished());

  const std::vector<Span> spans = tracer_.spans();
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_EQ(spans[0].context, first);
  EXPECT_EQ(spans[1].context, again);
  for (const Span& span : spans) {
    EXPECT_EQ(span.context.trace_id, call.trace_id);
    EXPECT_EQ(span.parent, call.span_id);
    EXPECT_EQ(span.kind, SpanKind::kClient);
  }
  EXPECT_EQ(spans[0].code, absl::StatusCode::kUnavailable);
  EXPECT_EQ(spans[0].ended - spans[0].begun, absl::Seconds(1));
  ASSERT_EQ(spans[0].events.size(), 1u);
  EXPECT_EQ(spans[0].events[0].name, "sequence_reissued");
  EXPECT_TRUE(spans[0].events[0].attributes[0] ==
              SpanAttribute("cause", "lost"));
  EXPECT_EQ(spans[1].code, absl::StatusCode::kOk);
  EXPECT_TRUE(*FindAttribute(spans[1], "apollo.dense_worker") ==
              SpanAttribute("apollo.dense_worker", "b"));
}

TEST_F(FailoverBackendTest, AnUntracedRequestHasNoSpans) {
  Begin();
  EXPECT_FALSE(pool_.run(0).request.trace.has_value());
  pool_.run(0).End(Finished());
  EXPECT_TRUE(tracer_.spans().empty());
}

}  // namespace
}  // namespace apollo

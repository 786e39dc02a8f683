#include "deploy/local/traced_sink.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "common/fake_clock.h"
#include "tracing/recording_tracer.h"
#include "tracing/trace_context.h"

namespace apollo {
namespace {

class CountingSink final : public GenerationSink {
 public:
  void OnStarted(const GenerationStarted&) override { ++events; }
  void OnPrompt(const PromptLogprobs&) override { ++events; }
  void OnToken(const GeneratedToken&) override { ++events; }
  void OnMoved(const SequenceMove&) override { ++events; }
  void OnFinished(absl::StatusOr<GenerationFinished> finished) override {
    ++events;
    code = finished.status().code();
  }
  int events = 0;
  absl::StatusCode code = absl::StatusCode::kOk;
};

class TracedSinkTest : public testing::Test {
 protected:
  std::shared_ptr<GenerationSink> Wrap(Tracer* tracer) {
    return TracedSink::Wrap(tracer, clock_, request_, inner_);
  }

  FakeClock clock_;
  RecordingTracer tracer_;
  GenerationRequest request_;
  const std::shared_ptr<CountingSink> inner_ = std::make_shared<CountingSink>();
};

TEST_F(TracedSinkTest, ARequestThatIsNotTracedKeepsItsSink) {
  EXPECT_EQ(Wrap(&tracer_), inner_);
  request_.trace = BeginSpan(std::nullopt, /*sample=*/1);
  EXPECT_EQ(Wrap(/*tracer=*/nullptr), inner_);
  request_.trace->sampled = false;
  EXPECT_EQ(Wrap(&tracer_), inner_);
}

TEST_F(TracedSinkTest, ASequenceHasTheSpansOfADenseWorker) {
  const TraceContext call = BeginSpan(std::nullopt, /*sample=*/1);
  request_.trace = call;
  request_.request_id = "r";
  request_.prompt = {1, 2, 3};
  const auto sink = Wrap(&tracer_);
  ASSERT_NE(sink, inner_);
  // What the sequence's expert worker gets.
  const TraceContext run = *request_.trace;
  EXPECT_NE(run.span_id, call.span_id);
  clock_.now += absl::Seconds(1);
  sink->OnStarted({});
  clock_.now += absl::Seconds(1);
  sink->OnToken({});
  sink->OnToken({});
  sink->OnMoved({});
  sink->OnPrompt({});
  sink->OnFinished(absl::CancelledError("x"));
  EXPECT_EQ(inner_->events, 6);
  EXPECT_EQ(inner_->code, absl::StatusCode::kCancelled);

  const std::vector<Span> spans = tracer_.spans();
  const Span* const whole =
      FindSpan(spans, "apollo.internal.v1.DenseWorkerService/Run");
  ASSERT_NE(whole, nullptr);
  EXPECT_EQ(whole->context.span_id, run.span_id);
  EXPECT_EQ(whole->parent, call.span_id);
  EXPECT_EQ(whole->code, absl::StatusCode::kCancelled);
  EXPECT_EQ(*FindAttribute(*whole, "apollo.request_id"),
            SpanAttribute("apollo.request_id", "r"));
  EXPECT_EQ(*FindAttribute(*whole, "gen_ai.usage.output_tokens"),
            SpanAttribute("gen_ai.usage.output_tokens", 2));
  for (const char* name : {"queue", "prefill", "decode", "move"}) {
    const Span* const part = FindSpan(spans, name);
    ASSERT_NE(part, nullptr) << name;
    EXPECT_EQ(part->parent, run.span_id) << name;
  }
}

}  // namespace
}  // namespace apollo

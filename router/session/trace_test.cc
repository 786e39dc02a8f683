// The spans of calls, and what they tell.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "router/session/session_fixture.h"
#include "tracing/recording_tracer.h"
#include "tracing/trace_context.h"

namespace apollo {
namespace {

const std::optional<TraceContext> kClient = ParseTraceparent(
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "vendor=a");

class TraceTest : public SessionTest {
 protected:
  TraceTest() { SetTracer(&tracer_); }

  // Starts a call below the client's span.
  std::shared_ptr<GenerateSession> GenerateBelow(
      const std::optional<TraceContext>& parent, const GenerateInput& input) {
    auto session =
        GenerateSession::Make(Context(), std::make_unique<CallPass>(), writer_);
    session->SetTrace(parent);
    session->Start([&] { return input; });
    return session;
  }

  RecordingTracer tracer_{/*sample=*/1};
  KeepingGenerateWriter writer_;
};

TEST_F(TraceTest, ACallIsASpanBelowThatOfItsClient) {
  GenerateInput input = Prompt("canary");
  input.input.request_id = "mine";
  const absl::Duration begun = clock_.now;
  const auto session = GenerateBelow(kClient, input);
  clock_.now += absl::Seconds(2);
  Sequence(0).Started();
  clock_.now += absl::Seconds(1);
  Sequence(0).Say("Hi");
  clock_.now += absl::Seconds(4);
  Sequence(0).Finish(FinishCause::kLength);
  EXPECT_TRUE(tracer_.spans().empty());
  testing::internal::CaptureStderr();
  session->Close();
  EXPECT_THAT(
      testing::internal::GetCapturedStderr(),
      testing::HasSubstr("\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\""));

  const std::vector<Span> spans = tracer_.spans();
  ASSERT_EQ(spans.size(), 1u);
  const Span& span = spans[0];
  EXPECT_EQ(span.name, "apollo.v1.InferenceService/Generate");
  EXPECT_EQ(span.context.trace_id, kClient->trace_id);
  EXPECT_EQ(span.parent, kClient->span_id);
  EXPECT_EQ(span.context.state, "vendor=a");
  EXPECT_EQ(span.begun, begun);
  EXPECT_EQ(span.ended, begun + absl::Seconds(7));
  const std::vector<SpanEvent> events = {
      {"sequence_started", begun + absl::Seconds(2)},
      {"first_token_received", begun + absl::Seconds(3)}};
  EXPECT_EQ(span.events, events);
  for (const SpanAttribute& expected :
       {SpanAttribute("gen_ai.operation.name", "text_completion"),
        SpanAttribute("gen_ai.request.model", model_->name),
        SpanAttribute("gen_ai.usage.input_tokens", 6),
        SpanAttribute("gen_ai.usage.output_tokens", 2),
        SpanAttribute("gen_ai.response.finish_reasons",
                      std::vector<std::string>{"length"}),
        SpanAttribute("apollo.request_id", "mine")}) {
    const SpanAttribute* found = FindAttribute(span, expected.name);
    ASSERT_NE(found, nullptr) << expected.name;
    EXPECT_TRUE(*found == expected) << expected.name;
  }
  // Its sequence runs below it.
  ASSERT_TRUE(Sequence(0).request.trace.has_value());
  EXPECT_EQ(*Sequence(0).request.trace, span.context);
}

TEST_F(TraceTest, ATraceMayBeginAtTheRouter) {
  const auto session = GenerateBelow(std::nullopt, Prompt("x"));
  session->Cancel(absl::CancelledError("gone"));
  session->Close();
  const std::vector<Span> spans = tracer_.spans();
  ASSERT_EQ(spans.size(), 1u);
  EXPECT_FALSE(spans[0].parent.has_value());
  EXPECT_EQ(spans[0].code, absl::StatusCode::kCancelled);
}

TEST_F(TraceTest, UntracedCallsLeaveNothing) {
  auto untraced = kClient;
  untraced->sampled = false;
  const auto session = GenerateBelow(untraced, Prompt("x"));
  EXPECT_FALSE(Sequence(0).request.trace.has_value());
  testing::internal::CaptureStderr();
  Sequence(0).Finish(FinishCause::kEos);
  session->Close();
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::Not(testing::HasSubstr("trace_id")));
  EXPECT_TRUE(tracer_.spans().empty());
}

TEST_F(TraceTest, WithoutATracerNothingIsTraced) {
  SetTracer(nullptr);
  const auto session = GenerateBelow(kClient, Prompt("x"));
  EXPECT_FALSE(Sequence(0).request.trace.has_value());
  session->Close();
}

TEST_F(TraceTest, AFailureIsLoggedWithItsTrace) {
  const auto session = GenerateBelow(kClient, Prompt("x"));
  Sequence(0).Finish(absl::InternalError("broken"));
  testing::internal::CaptureStderr();
  session->Close();
  EXPECT_THAT(
      testing::internal::GetCapturedStderr(),
      testing::HasSubstr("\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\""));
  ASSERT_EQ(tracer_.spans().size(), 1u);
  EXPECT_EQ(tracer_.spans()[0].code, absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace apollo

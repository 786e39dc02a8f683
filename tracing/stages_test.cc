#include "tracing/stages.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tracing/recording_tracer.h"

namespace apollo {
namespace {

Span Whole() {
  TraceContext context;
  context.trace_id[0] = 1;
  context.span_id[0] = 2;
  context.sampled = true;
  Span whole = MakeSpan("whole", SpanKind::kServer, context, std::nullopt,
                        absl::Seconds(10));
  whole.ended = absl::Seconds(20);
  return whole;
}

TEST(StagesTest, StagesFollowEachOtherBelowTheWhole) {
  RecordingTracer tracer;
  TakeStages(Whole(), {absl::Seconds(12), absl::Seconds(15)}, tracer);
  const std::vector<Span> spans = tracer.spans();
  ASSERT_EQ(spans.size(), 3u);
  absl::Duration begun = absl::Seconds(10);
  for (const Span& span : spans) {
    EXPECT_EQ(span.parent, Whole().context.span_id);
    EXPECT_EQ(span.context.trace_id, Whole().context.trace_id);
    EXPECT_NE(span.context.span_id, Whole().context.span_id);
    EXPECT_EQ(span.begun, begun);
    begun = span.ended;
  }
  EXPECT_EQ(begun, absl::Seconds(20));
  EXPECT_EQ(spans[0].name, "queue");
  EXPECT_EQ(spans[1].name, "prefill");
  EXPECT_EQ(spans[1].ended, absl::Seconds(15));
  EXPECT_EQ(spans[2].name, "decode");
}

TEST(StagesTest, TheStageOfTheEndIsTheLast) {
  RecordingTracer queued, prefilling;
  TakeStages(Whole(), {}, queued);
  ASSERT_EQ(queued.spans().size(), 1u);
  EXPECT_EQ(queued.spans()[0].ended, absl::Seconds(20));
  TakeStages(Whole(), {absl::Seconds(12), std::nullopt}, prefilling);
  ASSERT_EQ(prefilling.spans().size(), 2u);
  EXPECT_EQ(prefilling.spans()[1].ended, absl::Seconds(20));
}

}  // namespace
}  // namespace apollo

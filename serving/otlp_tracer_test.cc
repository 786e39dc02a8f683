#include "serving/otlp_tracer.h"

#include <absl/time/clock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "serving/fake_collector.h"
#include "serving/test_certificates.h"
#include "tracing/trace_context.h"

namespace apollo {
namespace {

OtlpTracer::Options To(const std::string& endpoint) {
  OtlpTracer::Options options;
  options.endpoint = endpoint;
  options.service = "apollo-router";
  options.process = "router-7";
  // Seldom, so that Flush and the end send. The SDK wakes its thread, and the
  // thread wakes Flush, without a lock: such a signal may be lost, and then
  // each goes on only after a period.
  options.period = absl::Seconds(1);
  // A collector that is there answers, however busy the machine is.
  options.timeout = absl::Minutes(1);
  return options;
}

Span TestSpan() {
  const absl::Duration now = Clock::Real().Now();
  const auto parent = ParseTraceparent(
      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "vendor=a");
  Span span = MakeSpan("Run", SpanKind::kServer, BeginSpan(parent), parent,
                       now - absl::Seconds(2));
  span.ended = now;
  span.attributes = {{"text", "a"},
                     {"number", 7},
                     {"real", 0.5},
                     {"flag", true},
                     {"texts", std::vector<std::string>{"b", "c"}}};
  span.events = {{"moved", now - absl::Seconds(1), {{"cause", "lost"}}}};
  return span;
}

std::string Metrics(const OtlpTracer& tracer) {
  return prometheus::TextSerializer().Serialize(tracer.metrics()->Collect());
}
bool Counts(const OtlpTracer& tracer, const std::string& result, int count) {
  return Metrics(tracer).find("apollo_trace_spans_total{result=\"" + result +
                              "\"} " + std::to_string(count) + "\n") !=
         std::string::npos;
}

TEST(OtlpTracerTest, ASpanReachesTheCollectorInFull) {
  FakeCollector collector;
  OtlpTracer tracer(To(collector.address()));
  tracer.Start();
  Span sent = TestSpan();
  sent.code = absl::StatusCode::kUnavailable;
  tracer.Take(sent);
  tracer.Flush();
  ASSERT_EQ(collector.received().size(), 1u);
  const auto received = collector.received()[0];
  EXPECT_EQ(received.service, "apollo-router");
  EXPECT_EQ(received.process, "router-7");
  const FakeCollector::Span& span = received.span;
  EXPECT_EQ(span.name(), "Run");
  EXPECT_EQ(span.kind(), FakeCollector::Span::SPAN_KIND_SERVER);
  EXPECT_EQ(span.trace_id() + span.span_id() + '\1',
            PackTraceContext(sent.context));
  EXPECT_EQ(span.parent_span_id(),
            std::string(sent.parent->begin(), sent.parent->end()));
  EXPECT_EQ(span.trace_state(), "vendor=a");
  EXPECT_NEAR(static_cast<double>(span.end_time_unix_nano() -
                                  span.start_time_unix_nano()),
              2e9, 1e6);
  const double now = absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch());
  EXPECT_NEAR(static_cast<double>(span.end_time_unix_nano()) / 1e9, now, 100);
  ASSERT_EQ(span.events_size(), 1);
  EXPECT_EQ(span.events(0).name(), "moved");
  ASSERT_EQ(span.events(0).attributes_size(), 1);
  EXPECT_EQ(span.events(0).attributes(0).value().string_value(), "lost");
  EXPECT_EQ(span.status().code(),
            opentelemetry::proto::trace::v1::Status::STATUS_CODE_ERROR);
  // Those of the span, and error.type.
  ASSERT_EQ(span.attributes_size(), 6);
  EXPECT_EQ(span.attributes(0).value().string_value(), "a");
  EXPECT_EQ(span.attributes(1).value().int_value(), 7);
  EXPECT_EQ(span.attributes(2).value().double_value(), 0.5);
  EXPECT_TRUE(span.attributes(3).value().bool_value());
  EXPECT_EQ(span.attributes(4).value().array_value().values(1).string_value(),
            "c");
  EXPECT_EQ(span.attributes(5).value().string_value(), "UNAVAILABLE");
  EXPECT_TRUE(Counts(tracer, "sent", 1)) << Metrics(tracer);
}

TEST(OtlpTracerTest, WhatAClientDidItselfIsNoErrorOfAServer) {
  FakeCollector collector;
  OtlpTracer tracer(To(collector.address()));
  tracer.Start();
  Span span = TestSpan();
  span.code = absl::StatusCode::kCancelled;
  tracer.Take(span);
  tracer.Flush();
  ASSERT_EQ(collector.received().size(), 1u);
  EXPECT_FALSE(collector.received()[0].span.has_status());
}

TEST(OtlpTracerTest, WhatWaitsIsSentAtTheEnd) {
  FakeCollector collector;
  {
    OtlpTracer tracer(To(collector.address()));
    tracer.Start();
    for (int i = 0; i < 3; ++i) tracer.Take(TestSpan());
  }
  EXPECT_EQ(collector.received().size(), 3u);
}

// Without a time-out, there is no time for calls at the end. A thread of the
// SDK that starts only after the first Take sends what it finds, so that what
// is sent before the end is not this test's: it tries until all are late.
TEST(OtlpTracerTest, WhatIsTooLateAtTheEndHasFailed) {
  FakeCollector collector;
  OtlpTracer::Options options = To(collector.address());
  options.timeout = absl::ZeroDuration();
  bool all_late = false;
  for (int i = 0; i < 200 && !all_late; ++i) {
    const std::size_t before = collector.received().size();
    std::shared_ptr<prometheus::Registry> metrics;
    {
      OtlpTracer tracer(options);
      metrics = tracer.metrics();
      tracer.Start();
      for (int j = 0; j < 3; ++j) tracer.Take(TestSpan());
    }
    const std::size_t sent = collector.received().size() - before;
    const std::string text =
        prometheus::TextSerializer().Serialize(metrics->Collect());
    const auto counts = [&](const std::string& result, std::size_t count) {
      return text.find("{result=\"" + result + "\"} " + std::to_string(count) +
                       "\n") != std::string::npos;
    };
    EXPECT_TRUE(counts("sent", sent)) << text;
    EXPECT_TRUE(counts("failed", 3 - sent)) << text;
    all_late = sent == 0;
  }
  EXPECT_TRUE(all_late);
}

TEST(OtlpTracerTest, BeforeTheStartSpansAreDropped) {
  FakeCollector collector;
  OtlpTracer tracer(To(collector.address()));
  tracer.Take(TestSpan());
  EXPECT_TRUE(Counts(tracer, "dropped", 1));
}

// The collector never answers; nobody waits for it, and memory is bounded.
TEST(OtlpTracerTest, ACollectorThatHangsHoldsNobodyUp) {
  FakeCollector collector;
  collector.Hang(true);
  OtlpTracer::Options options = To(collector.address());
  options.most_waiting = 10;
  options.timeout = absl::Milliseconds(100);
  OtlpTracer tracer(options);
  tracer.Start();
  while (Counts(tracer, "dropped", 0)) tracer.Take(TestSpan());
  tracer.Flush();
  EXPECT_FALSE(Counts(tracer, "failed", 0)) << Metrics(tracer);
  EXPECT_TRUE(Counts(tracer, "sent", 0)) << Metrics(tracer);
}

// What was sent makes room again.
TEST(OtlpTracerTest, MoreSpansThanMayWaitAreSentOneAfterTheOther) {
  FakeCollector collector;
  OtlpTracer::Options options = To(collector.address());
  options.most_waiting = 2;
  OtlpTracer tracer(options);
  tracer.Start();
  for (int i = 0; i < 5; ++i) {
    tracer.Take(TestSpan());
    tracer.Flush();
  }
  EXPECT_TRUE(Counts(tracer, "sent", 5)) << Metrics(tracer);
  EXPECT_TRUE(Counts(tracer, "dropped", 0)) << Metrics(tracer);
}

TEST(OtlpTracerTest, ADeadCollectorIsLoggedOnce) {
  std::string address;
  {
    FakeCollector gone;
    address = gone.address();
  }
  testing::internal::CaptureStderr();
  {
    OtlpTracer tracer(To(address));
    tracer.Start();
    for (int i = 0; i < 3; ++i) {
      tracer.Take(TestSpan());
      tracer.Flush();
    }
    EXPECT_TRUE(Counts(tracer, "failed", 3)) << Metrics(tracer);
  }
  const std::string log = testing::internal::GetCapturedStderr();
  const std::size_t first = log.find("trace_export_failed");
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("trace_export_failed", first + 1), std::string::npos)
      << log;
  EXPECT_EQ(log.find("OTLP TRACE GRPC Exporter] Export() failed"),
            log.rfind("OTLP TRACE GRPC Exporter] Export() failed"))
      << log;
}

class OtlpTlsTest : public testing::Test {
 protected:
  OtlpTlsTest() {
    const TestIdentity identity = authority_.Sign({});
    grpc::SslServerCredentialsOptions options;
    options.pem_key_cert_pairs = {{identity.key, identity.certificate}};
    collector_ =
        std::make_unique<FakeCollector>(grpc::SslServerCredentials(options));
  }
  // Returns the number of spans of one that arrive.
  std::size_t Send(const std::string& authorities) {
    OtlpTracer::Options options = To(collector_->address());
    options.authorities = authorities;
    OtlpTracer tracer(options);
    tracer.Start();
    tracer.Take(TestSpan());
    tracer.Flush();
    return collector_->received().size();
  }

  TestAuthority authority_, other_;
  std::unique_ptr<FakeCollector> collector_;
};

TEST_F(OtlpTlsTest, ACollectorProvesItself) {
  EXPECT_EQ(Send(authority_.certificate()), 1u);
}

TEST_F(OtlpTlsTest, AnotherOneGetsNothing) {
  EXPECT_EQ(Send(other_.certificate()), 0u);
  EXPECT_EQ(Send(""), 0u);
}

}  // namespace
}  // namespace apollo

// Traces of requests through a cluster of real processes, and collectors that
// are dead or hang.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "serving/fake_collector.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"
#include "tracing/trace_context.h"

namespace apollo {
namespace {

using Received = FakeCollector::Received;
using Spans = std::vector<Received>;

constexpr char kCanary[] = "What is zebracanary asthma?";
constexpr char kTraceId[] = "4bf92f3577b34da6a3ce929d0e0e4736";

std::string Traceparent(const std::string& trace_id, bool sampled) {
  return "00-" + trace_id + "-00f067aa0ba902b7-" + (sampled ? "01" : "00");
}

// Asks with that traceparent; empty: without one. The answer must be complete.
void Ask(Cluster& cluster, const std::string& traceparent) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::minutes(2));
  if (!traceparent.empty()) context.AddMetadata("traceparent", traceparent);
  const auto stub = cluster.NewStub();
  const auto stream = stub->Generate(&context, GreedyRequest(kCanary, 6));
  v1::GenerateResponse response;
  bool finished = false;
  while (stream->Read(&response)) finished |= response.has_finished();
  const grpc::Status status = stream->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(finished);
}

Cluster::Layout SendingTo(const std::string& collector) {
  const std::vector<std::string> flags = {"--trace_endpoint=" + collector};
  return {.expert_workers = 2,
          .dense_flags = flags,
          .expert_flags = flags,
          .router_flags = flags};
}

// Returns the id of a trace as spans have it.
std::string BytesOf(const std::string& trace_id) {
  const auto context = ParseTraceparent(Traceparent(trace_id, true));
  return {context->trace_id.begin(), context->trace_id.end()};
}

Spans OfTrace(const Spans& spans, const std::string& trace) {
  Spans found;
  for (const Received& one : spans) {
    if (one.span.trace_id() == trace) found.push_back(one);
  }
  return found;
}

// Returns the first span of a program, by its name and kind, or null.
const FakeCollector::Span* Find(const Spans& spans, const std::string& service,
                                const std::string& name,
                                FakeCollector::Span::SpanKind kind) {
  for (const Received& one : spans) {
    if (one.service == service && one.span.name() == name &&
        one.span.kind() == kind) {
      return &one.span;
    }
  }
  return nullptr;
}

constexpr char kCall[] = "apollo.v1.InferenceService/Generate";
constexpr char kRun[] = "apollo.internal.v1.DenseWorkerService/Run";
constexpr auto kServer = FakeCollector::Span::SPAN_KIND_SERVER;
constexpr auto kClient = FakeCollector::Span::SPAN_KIND_CLIENT;
constexpr auto kInternal = FakeCollector::Span::SPAN_KIND_INTERNAL;

TEST(TracingTest, ARequestIsOneTraceThroughAllProcesses) {
  FakeCollector collector;
  Cluster cluster(Runfile("tests/golden/published"),
                  SendingTo(collector.address()));
  cluster.Start();
  cluster.WaitForHealth(true);
  Ask(cluster, Traceparent("11111111111111111111111111111111", false));
  // A process lets go of spans that it cannot send within 3 s, as on a machine
  // that is busy: then another request is traced.
  std::string trace_id = kTraceId;
  std::set<std::string> traces;
  Spans spans;
  bool whole = false;
  for (char last = '0'; last < '5' && !whole; ++last) {
    trace_id.back() = last;
    traces.insert(BytesOf(trace_id));
    Ask(cluster, Traceparent(trace_id, true));
    whole = collector.Await([&](const Spans& all) {
      spans = OfTrace(all, BytesOf(trace_id));
      return Find(spans, "apollo-router", kCall, kServer) != nullptr &&
             Find(spans, "apollo-dense-worker", kRun, kServer) != nullptr &&
             Find(spans, "apollo-expert-worker", "sequence", kServer) !=
                 nullptr;
    });
  }
  ASSERT_TRUE(whole) << collector.text();

  const auto context = ParseTraceparent(Traceparent(trace_id, true));
  const std::string client(context->span_id.begin(), context->span_id.end());
  for (const Received& one : collector.received()) {
    EXPECT_TRUE(traces.contains(one.span.trace_id())) << one.span.name();
  }
  const auto* call = Find(spans, "apollo-router", kCall, kServer);
  const auto* attempt = Find(spans, "apollo-router", kRun, kClient);
  const auto* run = Find(spans, "apollo-dense-worker", kRun, kServer);
  const auto* sequence =
      Find(spans, "apollo-expert-worker", "sequence", kServer);
  ASSERT_NE(attempt, nullptr) << collector.text();
  EXPECT_EQ(call->parent_span_id(), client);
  EXPECT_EQ(attempt->parent_span_id(), call->span_id());
  EXPECT_EQ(run->parent_span_id(), attempt->span_id());
  EXPECT_EQ(sequence->parent_span_id(), run->span_id());
  for (const char* stage : {"queue", "prefill", "decode"}) {
    const auto* span = Find(spans, "apollo-dense-worker", stage, kInternal);
    ASSERT_NE(span, nullptr) << stage;
    EXPECT_EQ(span->parent_span_id(), run->span_id()) << stage;
  }

  EXPECT_THAT(collector.text(),
              testing::Not(testing::HasSubstr("zebracanary")));
  EXPECT_THAT(collector.text(),
              testing::HasSubstr("gen_ai.usage.input_tokens"));
  EXPECT_TRUE(cluster.WaitForLog("\"trace_id\":\"" + trace_id));
  cluster.StopAll();
}

TEST(TracingTest, ARequestWithoutATraceparentBeginsOne) {
  FakeCollector collector;
  Cluster cluster(Runfile("tests/golden/published"),
                  SendingTo(collector.address()));
  cluster.Start();
  cluster.WaitForHealth(true);
  // Again if it was not sent in time: see above.
  Spans spans;
  std::size_t asked = 0;
  bool whole = false;
  while (!whole && asked < 5) {
    Ask(cluster, "");
    ++asked;
    whole = collector.Await([&spans](const Spans& all) {
      return std::any_of(all.begin(), all.end(), [&](const Received& one) {
        spans = OfTrace(all, one.span.trace_id());
        return Find(spans, "apollo-router", kCall, kServer) != nullptr &&
               Find(spans, "apollo-dense-worker", kRun, kServer) != nullptr;
      });
    });
  }
  ASSERT_TRUE(whole) << collector.text();
  EXPECT_EQ(Find(spans, "apollo-router", kCall, kServer)->parent_span_id(), "");
  cluster.StopAll();  // Sends what waits.
  std::set<std::string> traces;
  for (const Received& one : collector.received()) {
    traces.insert(one.span.trace_id());
  }
  EXPECT_LE(traces.size(), asked);
}

TEST(TracingTest, AProcessWithAllRolesSendsTheSpansOfAllRoles) {
  FakeCollector collector;
  Cluster cluster(Runfile("tests/golden/published"),
                  {.expert_workers = 0,
                   .local_flags = {"--trace_endpoint=" + collector.address()}});
  cluster.Start();
  cluster.WaitForHealth(true);
  Ask(cluster, Traceparent(kTraceId, true));
  ASSERT_TRUE(collector.Await([](const Spans& spans) {
    return Find(spans, "apollo-local", kCall, kServer) != nullptr &&
           Find(spans, "apollo-local", kRun, kServer) != nullptr &&
           Find(spans, "apollo-local", "sequence", kServer) != nullptr;
  })) << collector.text();
  cluster.StopAll();
  const Spans spans = collector.received();
  const auto* call = Find(spans, "apollo-local", kCall, kServer);
  const auto* run = Find(spans, "apollo-local", kRun, kServer);
  const auto* sequence = Find(spans, "apollo-local", "sequence", kServer);
  EXPECT_EQ(run->parent_span_id(), call->span_id());
  EXPECT_EQ(sequence->parent_span_id(), run->span_id());
  EXPECT_NE(Find(spans, "apollo-local", "decode", kInternal), nullptr);
  EXPECT_THAT(collector.text(),
              testing::Not(testing::HasSubstr("zebracanary")));
}

TEST(TracingTest, ADeadCollectorDisturbsNothing) {
  // Nobody listens at this port, and nobody will.
  Cluster cluster(Runfile("tests/golden/published"), SendingTo("127.0.0.1:1"));
  cluster.Start();
  cluster.WaitForHealth(true);
  Ask(cluster, Traceparent(kTraceId, true));
  EXPECT_TRUE(cluster.WaitForLog("trace_export_failed"));
  Ask(cluster, Traceparent(kTraceId, true));
  EXPECT_TRUE(cluster.WaitForMetricAtLeast(
      "router", "apollo_trace_spans_total{result=\"failed\"}", 1));
  cluster.StopAll();
}

TEST(TracingTest, ACollectorThatHangsDisturbsNothing) {
  FakeCollector collector;
  collector.Hang(true);
  Cluster cluster(Runfile("tests/golden/published"),
                  SendingTo(collector.address()));
  cluster.Start();
  cluster.WaitForHealth(true);
  for (int i = 0; i < 3; ++i) Ask(cluster, Traceparent(kTraceId, true));
  cluster.StopAll();
}

}  // namespace
}  // namespace apollo

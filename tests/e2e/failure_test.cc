// What clients see when workers are not there, and that everything works again
// when they are back; that a client who leaves frees what it held; that no text
// of a request is in any log.

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"
#include "tests/e2e/http.h"

namespace apollo {
namespace {

const char kPrompt[] = "User:fever\nAssistant:";

std::string Model() { return Runfile("tests/golden/published"); }

void WaitForMetric(Cluster& cluster, const std::string& process,
                   const std::string& name, double wanted) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  double value = -1;
  while (std::chrono::steady_clock::now() < end) {
    value = cluster.Metric(process, name);
    if (value == wanted) return;
    std::this_thread::yield();
  }
  FAIL() << name << " of " << process << " is " << value << ", not " << wanted;
}

void ExpectWorks(Cluster& cluster) {
  const Answer answer = Generate(*cluster.NewStub(), GreedyRequest(kPrompt, 4));
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.ids.size(), 4u);
}

// Asks again until the answer is UNAVAILABLE, which must come within seconds; a
// request caught in the middle of the loss may fail with the same code.
void ExpectUnavailable(Cluster& cluster) {
  cluster.WaitForHealth(false);
  const auto begin = std::chrono::steady_clock::now();
  const Answer answer = Generate(*cluster.NewStub(), GreedyRequest(kPrompt, 4));
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNAVAILABLE)
      << answer.status.error_message();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST(FailureTest, ALostExpertWorkerIsUnavailableUntilItIsBack) {
  Cluster cluster(Model(), {.expert_workers = 2});
  cluster.Start();
  ExpectWorks(cluster);
  cluster.KillExpert(1);
  ExpectUnavailable(cluster);
  cluster.StartExpert(1);
  cluster.WaitForHealth(true);
  ExpectWorks(cluster);
}

TEST(FailureTest, ALostDenseWorkerIsUnavailableUntilItIsBack) {
  Cluster cluster(Model(), {.expert_workers = 1});
  cluster.Start();
  ExpectWorks(cluster);
  cluster.KillDense(0);
  ExpectUnavailable(cluster);
  cluster.StartDense(0);
  cluster.WaitForHealth(true);
  ExpectWorks(cluster);
}

TEST(FailureTest, OneOfTwoDenseWorkersIsEnough) {
  Cluster cluster(Model(), {.dense_workers = 2, .expert_workers = 1});
  cluster.Start();
  cluster.KillDense(0);
  // Until the router has noticed, a request may still be sent to the lost one.
  Answer answer;
  for (int i = 0; i < 200; ++i) {
    answer = Generate(*cluster.NewStub(), GreedyRequest(kPrompt, 4));
    if (answer.status.ok()) break;
    EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  }
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.started.workers().dense_worker(), "dense-1");
}

TEST(FailureTest, RunningRequestsFailWhenTheirExpertWorkerIsLost) {
  Cluster cluster(Model(), {.expert_workers = 1});
  cluster.Start();
  v1::GenerateRequest request = GreedyRequest(kPrompt, 480);
  request.set_ignore_eos(true);
  // Far more work than can be done before the signal arrives.
  request.mutable_sampling()->set_choices(8);
  grpc::ClientContext context;
  const auto stub = cluster.NewStub();
  const auto stream = stub->Generate(&context, request);
  v1::GenerateResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_TRUE(response.has_started());
  cluster.KillExpert(0);
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(FailureTest, AFrozenExpertWorkerIsNoticedAndComesBack) {
  Cluster cluster(Model(), {.expert_workers = 2});
  cluster.Start();
  v1::GenerateRequest request = GreedyRequest(kPrompt, 480);
  request.set_ignore_eos(true);
  request.mutable_sampling()->set_choices(8);
  grpc::ClientContext context;
  const auto stub = cluster.NewStub();
  const auto stream = stub->Generate(&context, request);
  v1::GenerateResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_TRUE(response.has_started());
  // Its connections stay open, but nobody answers pings on them any more.
  cluster.FreezeExpert(1);
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  ExpectUnavailable(cluster);
  cluster.ThawExpert(1);
  cluster.WaitForHealth(true);
  ExpectWorks(cluster);
}

TEST(FailureTest, AClientThatLeavesFreesItsSequenceEverywhere) {
  Cluster cluster(Model(), {.expert_workers = 2});
  cluster.Start();
  const auto stub = cluster.NewStub();
  for (int i = 0; i < 5; ++i) {
    v1::GenerateRequest request = GreedyRequest(kPrompt, 480);
    request.set_ignore_eos(true);
    grpc::ClientContext context;
    const auto stream = stub->Generate(&context, request);
    v1::GenerateResponse response;
    ASSERT_TRUE(stream->Read(&response));
    context.TryCancel();
    while (stream->Read(&response)) {
    }
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  for (const char* expert : {"expert-0", "expert-1"}) {
    WaitForMetric(cluster, expert, "apollo_num_expert_sequences_running", 0);
  }
  // Cancelled, not run to their ends.
  const double generated =
      cluster.Metric("dense-0", "apollo_generation_tokens_total");
  EXPECT_GE(generated, 0);
  EXPECT_LT(generated, 5 * 480 / 2);
  WaitForMetric(cluster, "dense-0", "apollo_num_sequences_running", 0);
  WaitForMetric(cluster, "dense-0", "apollo_cache_blocks_used", 0);
  WaitForMetric(cluster, "dense-0", "apollo_num_requests_running", 0);
  WaitForMetric(cluster, "router", "apollo_num_requests_running", 0);
  ExpectWorks(cluster);
}

TEST(FailureTest, NoTextOfARequestIsInAnyLogOrMetric) {
  Cluster cluster(Model(), {.expert_workers = 2});
  cluster.Start();
  const auto stub = cluster.NewStub();
  const std::string secret = "Zyxwvuts";
  Generate(*stub, GreedyRequest("User:" + secret + "\nAssistant:", 8));
  v1::GenerateRequest bad = GreedyRequest(secret, 8);
  bad.set_language(secret);
  Generate(*stub, bad);
  Generate(*stub, GreedyRequest(secret + "\xff", 8));
  std::string seen = cluster.Logs();
  for (const char* process : {"router", "dense-0", "expert-0", "expert-1"}) {
    const std::string metrics =
        HttpGet(cluster.MetricsAddress(process), "/metrics");
    EXPECT_NE(metrics.find("apollo_"), std::string::npos) << process;
    seen += metrics;
  }
  EXPECT_NE(seen.find("request_done"), std::string::npos);
  EXPECT_EQ(seen.find(secret), std::string::npos);
  cluster.StopAll();
}

}  // namespace
}  // namespace apollo

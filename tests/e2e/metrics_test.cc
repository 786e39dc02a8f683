// Every process serves the metrics that dashboards for inference servers use,
// under their names.

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"
#include "tests/e2e/http.h"

namespace apollo {
namespace {

constexpr int kTokens = 6;

// docs/metrics.md lists them.
constexpr const char* kStems[] = {
    "apollo_requests_total",
    "apollo_num_requests_running",
    "apollo_prompt_tokens_total",
    "apollo_generation_tokens_total",
    "apollo_time_to_first_token_seconds",
    "apollo_inter_token_latency_seconds",
    "apollo_e2e_request_latency_seconds",
    "apollo_request_queue_time_seconds",
    "apollo_request_prefill_time_seconds",
    "apollo_request_decode_time_seconds",
    "apollo_request_success_total",
    "apollo_build_info",
    "apollo_ready",
    "apollo_live",
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
};

// Waits until no request runs in the process: it may learn of the end later
// than the client.
void WaitForEnd(Cluster& cluster, const std::string& process) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (cluster.Metric(process, "apollo_num_requests_running") != 0 &&
         std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
}

void CheckProcess(Cluster& cluster, const std::string& process,
                  const std::string& method, int prompt_tokens) {
  SCOPED_TRACE(process);
  WaitForEnd(cluster, process);
  const std::string text = HttpGet(cluster.MetricsAddress(process), "/metrics");
  for (const std::string stem : kStems) {
    EXPECT_NE(text.find("# TYPE " + stem + " "), std::string::npos) << stem;
  }
  EXPECT_NE(text.find("apollo_requests_total{code=\"OK\",method="),
            std::string::npos);
  EXPECT_EQ(cluster.Metric(process, "apollo_num_requests_running"), 0);
  EXPECT_EQ(cluster.Metric(process, "apollo_prompt_tokens_total"),
            prompt_tokens);
  EXPECT_EQ(cluster.Metric(process, "apollo_generation_tokens_total"), kTokens);
  EXPECT_EQ(cluster.Metric(process, "apollo_time_to_first_token_seconds_count"),
            1);
  EXPECT_EQ(cluster.Metric(process, "apollo_inter_token_latency_seconds_count"),
            kTokens - 1);
  EXPECT_EQ(cluster.Metric(
                process, "apollo_e2e_request_latency_seconds_count{method=\"" +
                             method + "\"}"),
            1);
  EXPECT_EQ(cluster.Metric(process, "apollo_request_decode_time_seconds_count"),
            1);
  EXPECT_EQ(cluster.Metric(process, "apollo_live"), 1);
}

// Checks what only processes count that know when a sequence starts and why it
// ends.
void CheckAnswer(Cluster& cluster, const std::string& process) {
  SCOPED_TRACE(process);
  EXPECT_EQ(cluster.Metric(process, "apollo_request_queue_time_seconds_count"),
            1);
  EXPECT_EQ(
      cluster.Metric(process, "apollo_request_prefill_time_seconds_count"), 1);
  EXPECT_EQ(
      cluster.Metric(
          process, "apollo_request_success_total{finished_reason=\"length\"}"),
      1);
}

void AskOnce(Cluster& cluster, int& prompt_tokens) {
  v1::GenerateRequest request = GreedyRequest("fever", kTokens);
  request.set_ignore_eos(true);
  const Answer answer = Generate(*cluster.NewStub(), request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  prompt_tokens = static_cast<int>(answer.started.prompt_tokens());
}

TEST(MetricsTest, EveryProcessOfAClusterServesTheStems) {
  Cluster cluster(Runfile("tests/golden/published"), {.expert_workers = 1});
  cluster.Start();
  int prompt_tokens = 0;
  ASSERT_NO_FATAL_FAILURE(AskOnce(cluster, prompt_tokens));
  CheckProcess(cluster, "router", "Generate", prompt_tokens);
  CheckProcess(cluster, "dense-worker-0", "Run", prompt_tokens);
  CheckProcess(cluster, "expert-worker-0", "Sequence", prompt_tokens);
  for (const char* process : {"router", "dense-worker-0"}) {
    CheckAnswer(cluster, process);
  }
  EXPECT_GE(cluster.Metric("dense-worker-0", "apollo_dense_step_seconds_count"),
            kTokens);
  EXPECT_GE(
      cluster.Metric("dense-worker-0", "apollo_expert_answer_seconds_count"),
      kTokens);
  EXPECT_GE(
      cluster.Metric("expert-worker-0", "apollo_expert_batch_seconds_count"),
      kTokens);
  EXPECT_TRUE(
      cluster.WaitForMetricAtLeast("expert-worker-0", "apollo_links_open", 1));
  EXPECT_TRUE(cluster.WaitForMetricAtLeast(
      "dense-worker-0", "apollo_num_expert_workers_ready", 1));
  EXPECT_TRUE(cluster.WaitForMetricAtLeast("router",
                                           "apollo_num_dense_workers_live", 1));
  cluster.StopAll();
}

TEST(MetricsTest, ARequestCanBeFollowedInTheLogsOfAllProcesses) {
  Cluster cluster(Runfile("tests/golden/published"), {.expert_workers = 1});
  cluster.Start();
  v1::GenerateRequest request = GreedyRequest("fever", kTokens);
  request.set_request_id("follow-me");
  ASSERT_TRUE(Generate(*cluster.NewStub(), request).status.ok());
  const auto line = [](const std::string& process, const std::string& event) {
    return "\"process\":\"" + process + "\",\"event\":\"" + event +
           "\",\"request_id\":\"follow-me\"";
  };
  EXPECT_TRUE(cluster.WaitForLog(line("router", "request_finished")));
  EXPECT_TRUE(cluster.WaitForLog(line("dense-worker-0", "sequence_finished")));
  EXPECT_TRUE(cluster.WaitForLog(line("expert-worker-0", "sequence_closed")));
  cluster.StopAll();
}

TEST(MetricsTest, OneProcessCountsARequestOnce) {
  Cluster cluster(Runfile("tests/golden/published"), {.expert_workers = 0});
  cluster.Start();
  int prompt_tokens = 0;
  ASSERT_NO_FATAL_FAILURE(AskOnce(cluster, prompt_tokens));
  CheckProcess(cluster, "local", "Generate", prompt_tokens);
  CheckAnswer(cluster, "local");
  cluster.StopAll();
}

}  // namespace
}  // namespace apollo

// The whole simulation: conservation of work, closed forms, determinism and the
// effects of policies.

#include "tools/simulate/cluster.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "common/json.h"
#include "tools/simulate/report.h"
#include "tools/simulate/scenario.h"

namespace apollo::simulate {
namespace {

constexpr char kTimes[] = R"({
  "dense": [[1, 0.01], [101, 0.11]], "attention": [[1, 0.001], [101, 0.011]],
  "expert": [[1, 0.001], [101, 0.011]], "head": [[1, 0.002]]})";

// A scenario of one dense worker with another part merged into it.
Scenario Make(const std::string& part) {
  Json json = Json::parse(
      R"({"seconds": 40, "traffic": {"requests_per_second": 2,
          "prompt_tokens": [5, 60], "answer_tokens": [1, 30],
          "languages": {"en": 2, "zh": 1, "sw": 1}}})");
  json["times"] = Json::parse(kTimes);
  json.merge_patch(Json::parse(part));
  const auto scenario = ReadScenario(json, "");
  EXPECT_TRUE(scenario.ok()) << scenario.status();
  return scenario.value_or(Scenario());
}

std::string ReportOf(const Scenario& scenario) {
  Cluster cluster(scenario);
  cluster.Run();
  return ReportJson(scenario, cluster).dump();
}

// Streams that all end: every row is computed once, and every token arrives.
void ExpectAllDoneOnce(const std::string& part) {
  const Scenario scenario = Make(part);
  Cluster cluster(scenario);
  cluster.Run();
  const Stats& stats = cluster.stats();
  EXPECT_EQ(cluster.Running(), 0);
  EXPECT_EQ(stats.finished, stats.arrived);
  EXPECT_EQ(stats.tokens, stats.finished_tokens);
  // Each row once, besides those that were lost with their blocks or worker.
  // The prompt and all tokens but the last are rows.
  const std::uint64_t rows = 40 * 50 + stats.finished_tokens - stats.finished;
  EXPECT_EQ(stats.dense_rows - stats.preempted_rows, rows);
  EXPECT_GE(stats.expert_rows, rows);
  EXPECT_LE(stats.expert_rows,
            rows + stats.replayed_rows + stats.preempted_rows);
  if (scenario.failures.empty()) {
    EXPECT_EQ(stats.expert_rows, rows + stats.preempted_rows);
    EXPECT_EQ(stats.choices, stats.expert_rows * 2 * 2);
  }
}

constexpr char kStreams[] =
    R"("seconds": 400, "traffic": {"requests_per_second": 0, "streams": 40,
       "prompt_tokens": 50, "answer_tokens": [1, 60]})";

TEST(ClusterTest, EveryTokenIsComputedOnce) {
  ExpectAllDoneOnce(std::string("{") + kStreams + "}");
  ExpectAllDoneOnce(std::string("{") + kStreams +
                    R"(, "dense_workers": {"count": 3},
                       "expert_workers": {"count": 7},
                       "machines": {"cores": 2}})");
}

TEST(ClusterTest, PreemptedSequencesLoseNoToken) {
  const std::string part = std::string("{") + kStreams +
                           R"(, "dense_workers": {"cache_tokens": 400},
                              "expert_workers": {"count": 2}})";
  ExpectAllDoneOnce(part);
  const Scenario scenario = Make(part);
  Cluster cluster(scenario);
  cluster.Run();
  EXPECT_GT(cluster.stats().preempted_rows, 0u);
}

TEST(ClusterTest, ALostWorkerCostsNoToken) {
  const std::string part = std::string("{") + kStreams +
                           R"(, "expert_workers": {"count": 3, "replicas": 2},
         "failures": [{"expert_worker": 1, "at": 1.5, "back_at": 3},
                      {"expert_worker": 2, "at": 4}]})";
  ExpectAllDoneOnce(part);
  const Scenario scenario = Make(part);
  Cluster cluster(scenario);
  cluster.Run();
  EXPECT_GT(cluster.stats().moved, 0u);
  EXPECT_GT(cluster.stats().replayed_rows, 0u);
}

TEST(ClusterTest, TheOnlyHolderOfAnExpertIsMissed) {
  const Scenario scenario = Make(
      R"({"expert_workers": {"count": 7},
          "failures": [{"expert_worker": 3, "at": 10}]})");
  Cluster cluster(scenario);
  cluster.Run();
  const Stats& stats = cluster.stats();
  EXPECT_GT(stats.failed, 0u);
  EXPECT_GT(stats.refused, 0u);
  EXPECT_EQ(stats.arrived, stats.finished + stats.failed + stats.refused +
                               static_cast<std::uint64_t>(cluster.Running()));
}

TEST(ClusterTest, AStandbyExpertTakesThePlaceOfALostOne) {
  const Scenario scenario = Make(
      R"({"seconds": 120, "expert_workers": {"count": 7, "standby": 1,
          "load_seconds": 0.5},
          "failures": [{"expert_worker": 3, "at": 10}]})");
  Cluster cluster(scenario);
  cluster.Run();
  EXPECT_GE(cluster.stats().loads, 1u);
  EXPECT_GT(cluster.stats().finished, cluster.stats().arrived * 9 / 10);
}

// With placement `auto` a worker with room takes the lost expert over, in all
// layers.
TEST(ClusterTest, WorkersWithRoomTakeALostExpertOver) {
  Scenario scenario = Make(
      R"({"seconds": 120, "model": {"sparse_layers": 4},
          "expert_workers": {"count": 7, "standby": 1, "placement": "auto",
          "room": 1, "load_seconds": 0.5},
          "failures": [{"expert_worker": 3, "at": 20}]})");
  Cluster cluster(scenario);
  cluster.Run();
  const auto& holders = cluster.stats().holders_by_second;
  // Nothing moves in the first 30 s. Then it takes four loads of 0.5 s.
  EXPECT_EQ(holders.at(18).at(3), 1);
  EXPECT_EQ(holders.at(28).at(3), 0);
  EXPECT_GE(holders.at(38).at(3), 1);
  EXPECT_GT(cluster.stats().finished, cluster.stats().arrived * 9 / 10);
}

TEST(ClusterTest, TheResultDependsOnlyOnScenarioAndSeed) {
  const char* part = R"({"expert_workers": {"count": 4, "placement": "auto"},
                         "dense_workers": {"count": 2},
                         "machines": {"cores": 4}})";
  Scenario scenario = Make(part);
  const std::string report = ReportOf(scenario);
  EXPECT_EQ(report, ReportOf(scenario));
  scenario.seed = 2;
  EXPECT_NE(report, ReportOf(scenario));
}

// Dense steps of one row that take 0.1 s, and nothing else: a queue M/D/1 of
// load 0.7. The mean wait is load / (2 (1 - load)) times the service time
// (Pollaczek, 1930; Khinchin, 1932).
TEST(ClusterTest, OneStageIsAQueueOfFixedServiceTime) {
  Scenario scenario = Make(
      R"({"seconds": 20000, "link": {"latency": 0},
          "router": {"request_seconds": 0, "token_seconds": 0},
          "dense_workers": {"token_budget": 1, "mixed_token_budget": 1,
                            "max_waiting": 1000000, "max_running": 1000000},
          "traffic": {"requests_per_second": 7, "prompt_tokens": 1,
                      "answer_tokens": 1}})");
  scenario.link.bytes_per_second = 1e15;
  scenario.times.dense = RowTimes({{1, 0.1}});
  scenario.times.attention = RowTimes();
  scenario.times.expert = RowTimes();
  scenario.times.head = RowTimes();
  Cluster cluster(scenario);
  cluster.Run();
  const double load = 0.7;
  const double wait = 0.1 * load / (2 * (1 - load));
  EXPECT_NEAR(cluster.stats().first_token.Mean(), 0.1 + wait, 0.03 * wait);
  EXPECT_NEAR(cluster.DenseUse()[0], load, 0.01);
}

// One stream: each token takes the sum of its stages and of the links.
TEST(ClusterTest, OneStreamTakesTheSumOfItsStages) {
  Scenario scenario = Make(
      R"({"link": {"latency": 0.005, "bytes_per_second": 1e15},
          "traffic": {"requests_per_second": 0, "streams": 1,
                      "prompt_tokens": 1, "answer_tokens": 20}})");
  Cluster cluster(scenario);
  cluster.Run();
  // Dense, two layers with attention and two experts, head; two hops.
  const double token = 0.01 + 2 * (0.001 + 2 * 0.001) + 0.002 + 2 * 0.005;
  EXPECT_NEAR(cluster.stats().between_tokens.Mean(), token, 1e-6);
  EXPECT_NEAR(cluster.stats().first_token.Mean(), token + 0.0022, 1e-6);
}

// Two workers that compute all the time share one processor: each takes twice
// as long.
TEST(ClusterTest, WorkersShareTheProcessorsOfAMachine) {
  const std::string part =
      R"("traffic": {"requests_per_second": 0, "streams": 2,
         "prompt_tokens": 1, "answer_tokens": 200},
         "dense_workers": {"count": 2})";
  const Scenario own = Make("{" + part + "}");
  const Scenario shared = Make("{" + part + R"(, "machines": {"cores": 1}})");
  Cluster alone(own), together(shared);
  alone.Run();
  together.Run();
  EXPECT_EQ(together.stats().finished, 2u);
  const double slower = together.stats().whole_request.Mean() /
                        alone.stats().whole_request.Mean();
  EXPECT_GT(slower, 1.6);
  EXPECT_LT(slower, 2.05);
}

// The share of rows computed by other workers: with an affinity of 1 and k = 1,
// none if the sequences are where their expert is.
TEST(ClusterTest, PinningKeepsRowsAtTheirWorker) {
  const auto off_worker = [](const char* pinning) {
    Scenario scenario =
        Make(std::string(R"({"model": {"affinity": 1, "experts_per_token": 1},
            "expert_workers": {"count": 7, "pinning": ")") +
             pinning + R"("}})");
    Cluster cluster(scenario);
    cluster.Run();
    return static_cast<double>(cluster.stats().guest_choices) /
           static_cast<double>(cluster.stats().choices);
  };
  EXPECT_EQ(off_worker("strict"), 0);
  EXPECT_LT(off_worker("prefer"), 0.5);
  EXPECT_GT(off_worker("none"), 0.6);
}

TEST(ClusterTest, ASurgeOfALanguageBringsItsRequests) {
  Scenario scenario = Make(
      R"({"seconds": 300, "traffic": {"requests_per_second": 1,
          "answer_tokens": 1, "prompt_tokens": 5, "surges": [
            {"language": "sw", "from": 100, "to": 200, "factor": 10}]}})");
  Cluster cluster(scenario);
  cluster.Run();
  // Languages are sorted: en, sw, zh, with shares of 2, 1 and 1.
  const auto& languages = cluster.stats().languages;
  EXPECT_NEAR(static_cast<double>(languages[0].requests), 150, 40);
  EXPECT_NEAR(static_cast<double>(languages[1].requests), 300, 55);
  EXPECT_NEAR(static_cast<double>(languages[2].requests), 75, 30);
}

}  // namespace
}  // namespace apollo::simulate

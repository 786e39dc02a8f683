// Models without experts: the expert workers run the last layer and the head,
// share the sequences, and have no routing to report.

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"
#include "tests/e2e/http.h"

namespace apollo {
namespace {

constexpr int kClients = 8;

std::string Model() { return Runfile("tests/golden/dense_qwen3"); }

v1::GenerateRequest Request(int number) {
  v1::GenerateRequest request = GreedyRequest(
      std::string(20 + number, static_cast<char>('a' + number)), 60);
  request.set_ignore_eos(true);
  return request;
}

TEST(DenseModelTest, ExpertWorkersShareTheSequences) {
  Cluster one(Model(), {});
  one.Start();
  Cluster many(Model(), {.dense_workers = 2, .expert_workers = 3});
  many.Start();
  std::vector<Answer> answers(kClients);
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back(
        [&, i] { answers[i] = Generate(*many.NewStub(), Request(i)); });
  }
  for (std::thread& client : clients) client.join();
  std::set<std::string> workers;
  for (int i = 0; i < kClients; ++i) {
    const Answer alone = Generate(*one.NewStub(), Request(i));
    ASSERT_TRUE(answers[i].status.ok()) << answers[i].status.error_message();
    EXPECT_EQ(answers[i].ids.size(), 60u);
    EXPECT_EQ(answers[i].ids, alone.ids);
    EXPECT_TRUE(answers[i].logprobs == alone.logprobs);
    workers.insert(answers[i].started.workers().expert_worker());
  }
  EXPECT_GT(workers.size(), 1u);
  one.StopAll();
  many.StopAll();
}

// Begins an answer, does harm to its expert worker, and expects the tokens of
// an undisturbed answer.
template <typename Harm>
void ExpectContinues(Cluster& cluster, Harm harm) {
  v1::GenerateRequest request = GreedyRequest("abc", 400);
  request.set_ignore_eos(true);
  const auto stub = cluster.NewStub();
  const Answer expected = Generate(*stub, request);
  ASSERT_TRUE(expected.status.ok()) << expected.status.error_message();
  grpc::ClientContext context;
  const auto stream = stub->Generate(&context, request);
  v1::GenerateResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_TRUE(response.has_started());
  const std::string worker = response.started().workers().expert_worker();
  std::vector<std::int32_t> ids;
  bool harmed = false;
  while (stream->Read(&response)) {
    for (const std::int32_t id : response.delta().token_ids()) {
      ids.push_back(id);
    }
    if (!harmed) harm(worker.back() - '0');
    harmed = true;
  }
  const grpc::Status status = stream->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(ids, expected.ids);
}

TEST(DenseModelTest, AnAnswerContinuesWhenItsExpertWorkerIsKilled) {
  Cluster cluster(Model(), {.expert_workers = 2});
  cluster.Start();
  ExpectContinues(cluster, [&](int worker) { cluster.KillExpert(worker); });
}

TEST(DenseModelTest, AnAnswerContinuesWhenItsExpertWorkerFreezes) {
  Cluster cluster(Model(), {.expert_workers = 2});
  cluster.Start();
  int frozen = 0;
  ExpectContinues(cluster, [&](int worker) {
    frozen = worker;
    cluster.FreezeExpert(worker);
  });
  cluster.ThawExpert(frozen);
  cluster.WaitForHealth(true);
  cluster.StopAll();
}

TEST(DenseModelTest, OneExpertWorkerIsEnough) {
  Cluster cluster(Model(), {.expert_workers = 2});
  cluster.Start();
  cluster.KillExpert(0);
  cluster.WaitForMetric("dense-worker-0", "apollo_num_expert_workers_ready", 1);
  const Answer answer = Generate(*cluster.NewStub(), Request(0));
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.started.workers().expert_worker(), "expert-worker-1");
  cluster.StartExpert(0);
  cluster.StopAll();
}

TEST(DenseModelTest, LanguagesAreDetectedAndNothingIsRouted) {
  Cluster cluster(Model(), {});
  cluster.Start();
  const auto stub = cluster.NewStub();
  v1::GenerateRequest request =
      GreedyRequest("Je, homa ya mtoto hutibiwa vipi?", 4);
  request.set_routing(v1::ROUTING_MODE_HYBRID);
  const Answer answer = Generate(*stub, request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.started.language(), "sw");
  EXPECT_EQ(answer.started.family_name(), "niger_congo");
  EXPECT_EQ(answer.started.routing(), v1::ROUTING_MODE_TOPK);
  EXPECT_EQ(answer.finished.expert_use_size(), 0);

  grpc::ClientContext of_model, of_routing;
  v1::GetModelResponse model;
  ASSERT_TRUE(stub->GetModel(&of_model, {}, &model).ok());
  EXPECT_EQ(model.architecture(), "Qwen3ForCausalLM");
  EXPECT_EQ(model.layers(), 4u);
  EXPECT_EQ(model.boundary(), 3u);
  EXPECT_EQ(model.experts(), 0u);
  EXPECT_EQ(model.families_size(), 7);
  v1::GetRoutingResponse routing;
  ASSERT_TRUE(stub->GetRouting(&of_routing, {}, &routing).ok());
  EXPECT_EQ(routing.languages_size(), 0);
  EXPECT_EQ(routing.experts_per_token(), 0u);
  ASSERT_EQ(routing.sources_size(), 1);
  EXPECT_TRUE(routing.sources(0).answered());
  EXPECT_GT(cluster.Metric("expert-worker-0", "apollo_expert_sequences_total"),
            0);
  const std::string metrics =
      HttpGet(cluster.MetricsAddress("expert-worker-0"), "/metrics");
  EXPECT_EQ(metrics.find("apollo_expert_tokens_total{"), std::string::npos);
  cluster.StopAll();
}

}  // namespace
}  // namespace apollo

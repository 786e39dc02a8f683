// A cluster of real processes on one device gives the oracle's answers to the
// golden cases "wide" and "rope_yarn", within what rounding to bf16 can change:
// see golden_comparison.h. Without a GPU, on processors with bf16 weights and
// cache.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "common/json.h"
#include "common/mutex.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"
#include "tests/e2e/read_json.h"
#include "tests/gpu/golden_comparison.h"
#include "tests/gpu/gpu_cluster.h"

namespace apollo {
namespace {

constexpr int kClients = 6;

// A golden case and what a client needs to ask its questions.
struct Case {
  explicit Case(const std::string& folder)
      : expected(ReadJson(folder + "/expected.json")) {
    for (const Json& prompt : expected["prompts"]) {
      prompts[prompt["name"].get<std::string>()] = prompt;
    }
  }
  // Learns a language for the expert of each family.
  void Learn(v1::InferenceService::Stub& stub) {
    grpc::ClientContext context;
    v1::GetModelResponse model;
    ASSERT_TRUE(stub.GetModel(&context, {}, &model).ok());
    for (const v1::FamilyInfo& family : model.families()) {
      languages[family.expert()] = family.languages(0);
    }
  }
  template <typename Request>
  void SetRouting(const Json& entry, Request& request) const {
    const int expert = entry["expert"].get<int>();
    request.set_routing(expert < 0 ? v1::ROUTING_MODE_TOPK
                                   : v1::ROUTING_MODE_HYBRID);
    if (expert >= 0) request.set_language(languages.at(expert));
  }

  Json expected;
  std::map<std::string, Json> prompts;
  std::map<int, std::string> languages;
};

std::string Name(const Json& entry) {
  return entry["prompt"].get<std::string>() + " expert " +
         std::to_string(entry["expert"].get<int>());
}

GoldenResult Failed(const grpc::Status& status) {
  return {.error = "the call failed: " + status.error_message(),
          .distance = 0,
          .near_tie = {}};
}

GoldenResult AskRun(const Case& golden, const Json& run,
                    v1::InferenceService::Stub& stub) {
  const Json& prompt = golden.prompts.at(run["prompt"]);
  v1::GenerateRequest request = GreedyRequest(
      prompt["text"].get<std::string>(), prompt["max_new_tokens"].get<int>());
  golden.SetRouting(run, request);
  const Answer answer = Generate(stub, request);
  if (!answer.status.ok()) return Failed(answer.status);
  return CompareRun(run, answer.ids, answer.logprobs);
}

GoldenResult AskScore(const Case& golden, const Json& score,
                      v1::InferenceService::Stub& stub) {
  v1::ScoreRequest request;
  request.set_prompt(
      golden.prompts.at(score["prompt"])["text"].get<std::string>());
  request.add_continuations(score["text"].get<std::string>());
  golden.SetRouting(score, request);
  grpc::ClientContext context;
  v1::ScoreResponse response;
  const grpc::Status status = stub.Score(&context, request, &response);
  if (!status.ok()) return Failed(status);
  const auto& logprobs = response.scores(0).token_logprobs();
  return CompareScore(score, {logprobs.begin(), logprobs.end()});
}

// Asks everything of a case, by several clients at once, so that sequences
// share steps.
GoldenTally AskAll(const Case& golden, Cluster& cluster) {
  GoldenTally tally;
  Mutex mutex;
  std::atomic<std::size_t> next_run{0}, next_score{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&] {
      const auto stub = cluster.NewStub();
      const Json& runs = golden.expected["runs"];
      for (std::size_t i; (i = next_run++) < runs.size();) {
        const GoldenResult result = AskRun(golden, runs[i], *stub);
        MutexLock lock(mutex);
        tally.Add(Name(runs[i]), result);
      }
      const Json& scores = golden.expected["scores"];
      for (std::size_t i; (i = next_score++) < scores.size();) {
        const GoldenResult result = AskScore(golden, scores[i], *stub);
        MutexLock lock(mutex);
        tally.Add("score " + Name(scores[i]), result);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  return tally;
}

// A golden case and the number of expert workers.
struct Layout {
  const char* golden;
  int expert_workers;
};

class GpuGoldenTest : public testing::TestWithParam<Layout> {};

TEST_P(GpuGoldenTest, AnswersAreTheOraclesWithinTheRounding) {
  const std::string folder =
      Runfile(std::string("tests/golden/") + GetParam().golden);
  Case golden(folder);
  Cluster cluster(folder, GpuLayout(GetParam().expert_workers));
  StartGpuCluster(cluster);
  ASSERT_FALSE(HasFailure());
  golden.Learn(*cluster.NewStub());
  const GoldenTally tally = AskAll(golden, cluster);
  for (const std::string& error : tally.errors()) ADD_FAILURE() << error;

  const Json& runs = golden.expected["runs"];
  const auto ties = std::count_if(runs.begin(), runs.end(), MayDiffer);
  EXPECT_LE(tally.near_ties(), ties);
  EXPECT_EQ(tally.compared(),
            static_cast<int>(runs.size() + golden.expected["scores"].size()));
  // Rounding the same operands in the oracle changes at most half as many.
  EXPECT_LE(4 * tally.near_ties(), static_cast<int>(runs.size()));
  ExpectRowsTravelled(cluster);
  RecordProperty("compared", tally.compared());
  RecordProperty("errors", static_cast<int>(tally.errors().size()));
  RecordProperty("near_ties", tally.near_ties());
  RecordProperty("possible_near_ties", static_cast<int>(ties));
  RecordProperty("largest_logprob_distance", std::to_string(tally.distance()));
  cluster.StopAll();
}

// Two expert workers also send rows to each other.
INSTANTIATE_TEST_SUITE_P(Layouts, GpuGoldenTest,
                         testing::Values(Layout{"wide", 1}, Layout{"wide", 2},
                                         Layout{"rope_yarn", 1}),
                         [](const auto& info) {
                           return std::string(info.param.golden) + "_" +
                                  std::to_string(info.param.expert_workers);
                         });

}  // namespace
}  // namespace apollo

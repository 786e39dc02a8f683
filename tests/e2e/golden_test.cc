// Every tiny checkpoint through a real cluster: greedy tokens equal those of an
// independent implementation, and log-probabilities agree, in each routing
// mode, with the experts in one process or several.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/json.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"
#include "tests/e2e/read_json.h"

namespace apollo {
namespace {

// The tolerance of log-probabilities; float32 differs from the oracle's float64
// by about 1e-5.
constexpr double kLogprobTolerance = 1e-3;
constexpr int kClients = 6;

// Returns a language for the expert of each family of a case.
std::map<int, std::string> LanguageOfExpert(v1::InferenceService::Stub& stub) {
  grpc::ClientContext context;
  v1::GetModelResponse model;
  EXPECT_TRUE(stub.GetModel(&context, {}, &model).ok());
  std::map<int, std::string> languages;
  for (const v1::FamilyInfo& family : model.families()) {
    languages[family.expert()] = family.languages(0);
  }
  return languages;
}

template <typename Request>
void SetRouting(const Json& run, const std::map<int, std::string>& languages,
                Request& request) {
  const int expert = run["expert"].get<int>();
  request.set_routing(expert < 0 ? v1::ROUTING_MODE_TOPK
                                 : v1::ROUTING_MODE_HYBRID);
  if (expert >= 0) request.set_language(languages.at(expert));
}

std::string Name(const Json& run) {
  return run["prompt"].get<std::string>() + " expert " +
         std::to_string(run["expert"].get<int>());
}

// Compares the alternatives of a token with the oracle's best, [id,
// log-probability], best first. Where two of the oracle's are nearly equal,
// either may come first, and the last one may be one that the oracle just
// excluded.
void CheckTop(const std::vector<v1::TokenAlternative>& got, const Json& best) {
  ASSERT_EQ(got.size(), best.size());
  std::map<std::int32_t, double> oracle;
  for (const Json& entry : best) {
    oracle[entry[0].get<std::int32_t>()] = entry[1].get<double>();
  }
  const double last = best.back()[1].get<double>();
  std::set<std::int32_t> seen;
  for (std::size_t r = 0; r < got.size(); ++r) {
    const double wanted = best[r][1].get<double>();
    EXPECT_NEAR(got[r].logprob(), wanted, kLogprobTolerance) << "rank " << r;
    EXPECT_TRUE(seen.insert(got[r].token_id()).second)
        << "rank " << r << " twice";
    const auto it = oracle.find(got[r].token_id());
    EXPECT_NEAR(it != oracle.end() ? it->second : last, wanted,
                2 * kLogprobTolerance)
        << "rank " << r << " is another token";
  }
}

void CheckRun(const Json& run, const Json& prompt,
              const std::map<int, std::string>& languages,
              v1::InferenceService::Stub& stub) {
  SCOPED_TRACE(Name(run));
  v1::GenerateRequest request = GreedyRequest(
      prompt["text"].get<std::string>(), prompt["max_new_tokens"].get<int>());
  SetRouting(run, languages, request);
  if (run.contains("top")) {
    request.set_logprobs(static_cast<int>(run["top"][0].size()));
  }
  const Answer answer = Generate(stub, request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.started_events, 1);
  EXPECT_EQ(answer.finished_events, 1);
  EXPECT_TRUE(answer.contiguous);
  EXPECT_EQ(answer.started.prompt_tokens(), prompt["ids"].size());
  auto expected = run["ids"].get<std::vector<std::int32_t>>();
  const auto logprobs = run["logprobs"].get<std::vector<double>>();
  const bool stops = run["finish"] == "stop";
  if (stops) expected.pop_back();  // The end-of-text token is not reported.
  EXPECT_EQ(answer.finished.reason(),
            stops ? v1::FINISH_REASON_EOS : v1::FINISH_REASON_LENGTH);
  ASSERT_EQ(answer.ids, expected);
  ASSERT_EQ(answer.logprobs.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(answer.logprobs[i], logprobs[i], kLogprobTolerance) << i;
  }
  ASSERT_EQ(answer.alternatives.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    SCOPED_TRACE("token " + std::to_string(i));
    if (run.contains("top")) {
      CheckTop(answer.alternatives[i], run["top"][i]);
    } else {
      EXPECT_TRUE(answer.alternatives[i].empty());
    }
  }
  // Every token that went through the layers used k experts in each.
  const std::size_t rows = prompt["ids"].size() + run["ids"].size() - 1;
  for (const v1::LayerExpertUse& use : answer.finished.expert_use()) {
    std::uint64_t sum = 0;
    for (const std::uint64_t tokens : use.tokens_by_expert()) sum += tokens;
    EXPECT_EQ(sum % rows, 0u);
    EXPECT_GT(sum, 0u);
  }
}

void CheckScore(const Json& score, const Json& prompt,
                const std::map<int, std::string>& languages,
                v1::InferenceService::Stub& stub) {
  SCOPED_TRACE("score " + Name(score));
  v1::ScoreRequest request;
  request.set_prompt(prompt["text"].get<std::string>());
  request.add_continuations(score["text"].get<std::string>());
  SetRouting(score, languages, request);
  grpc::ClientContext context;
  v1::ScoreResponse response;
  const grpc::Status status = stub.Score(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.scores_size(), 1);
  const auto expected = score["logprobs"].get<std::vector<double>>();
  ASSERT_EQ(response.scores(0).token_logprobs_size(),
            static_cast<int>(expected.size()));
  double sum = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(response.scores(0).token_logprobs(i), expected[i],
                kLogprobTolerance);
    sum += expected[i];
  }
  EXPECT_NEAR(response.scores(0).logprob(), sum, expected.size() * 1e-3);
}

// Checks that the expert use reported by a request equals the oracle's count.
void CheckUse(const Json& routing, const Json& prompt,
              const std::map<int, std::string>& languages,
              v1::InferenceService::Stub& stub) {
  SCOPED_TRACE("routing " + Name(routing));
  v1::GenerateRequest request = GreedyRequest(
      prompt["text"].get<std::string>(), prompt["max_new_tokens"].get<int>());
  SetRouting(routing, languages, request);
  const Answer answer = Generate(stub, request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  ASSERT_EQ(answer.finished.expert_use_size(),
            static_cast<int>(routing["layers"].size()));
  for (int l = 0; l < answer.finished.expert_use_size(); ++l) {
    const v1::LayerExpertUse& use = answer.finished.expert_use(l);
    const Json& layer = routing["layers"][l];
    EXPECT_EQ(use.layer(), layer["layer"].get<unsigned>());
    std::vector<std::uint64_t> counts(use.tokens_by_expert_size(), 0);
    for (const Json& token : layer["experts"]) {
      for (const Json& expert : token) ++counts[expert.get<int>()];
    }
    EXPECT_EQ(std::vector<std::uint64_t>(use.tokens_by_expert().begin(),
                                         use.tokens_by_expert().end()),
              counts);
  }
}

// The answers of "resaved" are those of the original.
std::string ExpectedOf(const std::string& name) {
  const std::string original = name == "resaved" ? "published" : name;
  return Runfile("tests/golden/" + original + "/expected.json");
}

class GoldenTest
    : public ::testing::TestWithParam<std::tuple<const char*, int>> {};

TEST_P(GoldenTest, TokensLogprobsAndExpertsAreTheOracles) {
  const auto& [name, expert_workers] = GetParam();
  const std::string folder = Runfile(std::string("tests/golden/") + name);
  const Json expected = ReadJson(ExpectedOf(name));
  std::map<std::string, Json> prompts;
  for (const Json& prompt : expected["prompts"]) {
    prompts[prompt["name"].get<std::string>()] = prompt;
  }
  // A small token budget splits the long prompts into chunks.
  Cluster cluster(folder, {.expert_workers = expert_workers,
                           .dense_flags = {"--token_budget=48"}});
  cluster.Start();
  const auto languages = LanguageOfExpert(*cluster.NewStub());

  // Several concurrent clients, so that sequences share steps.
  std::atomic<std::size_t> next_run{0}, next_score{0}, next_use{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&] {
      const auto stub = cluster.NewStub();
      for (std::size_t i; (i = next_run++) < expected["runs"].size();) {
        const Json& run = expected["runs"][i];
        CheckRun(run, prompts.at(run["prompt"]), languages, *stub);
      }
      for (std::size_t i; (i = next_score++) < expected["scores"].size();) {
        const Json& score = expected["scores"][i];
        CheckScore(score, prompts.at(score["prompt"]), languages, *stub);
      }
      for (std::size_t i; (i = next_use++) < expected["routing"].size();) {
        const Json& routing = expected["routing"][i];
        CheckUse(routing, prompts.at(routing["prompt"]), languages, *stub);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_GT(expected["runs"].size(), 0u);
  EXPECT_TRUE(std::any_of(expected["runs"].begin(), expected["runs"].end(),
                          [](const Json& run) { return run.contains("top"); }));
  EXPECT_GT(expected["scores"].size(), 0u);
  EXPECT_GT(expected["routing"].size(), 0u);
  cluster.StopAll();
}

// Many expert workers only for cases that have many experts, each in a form of
// its own: starting so many processes takes long.
std::vector<const char*> Cases() {
  std::vector<const char*> cases = {"all_sparse", "every_expert", "published",
                                    "qwen3_experts", "twelve_experts"};
  if (APOLLO_EXPERT_WORKERS > 2) return cases;
  cases.insert(cases.end(),
               {"dense_llama", "dense_one_layer", "dense_qwen2", "dense_qwen3",
                "resaved", "rope_linear", "rope_llama3", "rope_yarn",
                "sharded_f32", "shared_expert_f16", "wide"});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(
    Layouts, GoldenTest,
    ::testing::Combine(::testing::ValuesIn(Cases()),
                       ::testing::Values(APOLLO_EXPERT_WORKERS)),
    [](const auto& info) {
      return std::string(std::get<0>(info.param)) + "_" +
             std::to_string(std::get<1>(info.param));
    });

}  // namespace
}  // namespace apollo

// The caches of a real cluster: hits, behaviour when they are too small for all
// requests, and unchanged answers in all cases.

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"

namespace apollo {
namespace {

std::string Model() { return Runfile("tests/golden/published"); }

// Returns a request with its own prompt and a long answer.
v1::GenerateRequest LongRequest(int number) {
  const std::string prompt(20 + number, static_cast<char>('a' + number));
  v1::GenerateRequest request = GreedyRequest(prompt, 440);
  request.set_ignore_eos(true);
  request.set_language("en");
  request.mutable_sampling()->set_temperature(0.8f);
  request.mutable_sampling()->set_seed(number);
  return request;
}

std::vector<Answer> OneAfterTheOther(Cluster& cluster, int count) {
  std::vector<Answer> answers;
  const auto stub = cluster.NewStub();
  for (int i = 0; i < count; ++i) {
    answers.push_back(Generate(*stub, LongRequest(i)));
  }
  return answers;
}

std::vector<Answer> AllAtOnce(Cluster& cluster, int count) {
  std::vector<Answer> answers(count);
  std::vector<std::thread> clients;
  for (int i = 0; i < count; ++i) {
    clients.emplace_back([&cluster, &answers, i] {
      answers[i] = Generate(*cluster.NewStub(), LongRequest(i));
    });
  }
  for (std::thread& client : clients) client.join();
  return answers;
}

void ExpectSame(const Answer& a, const Answer& b) {
  EXPECT_TRUE(a.status.ok()) << a.status.error_message();
  EXPECT_TRUE(b.status.ok()) << b.status.error_message();
  EXPECT_EQ(a.ids, b.ids);
  EXPECT_TRUE(a.logprobs == b.logprobs);
  EXPECT_EQ(a.text, b.text);
  EXPECT_TRUE(a.contiguous && b.contiguous);
  ASSERT_EQ(a.finished.expert_use_size(), b.finished.expert_use_size());
  for (int l = 0; l < a.finished.expert_use_size(); ++l) {
    EXPECT_EQ(a.finished.expert_use(l).SerializeAsString(),
              b.finished.expert_use(l).SerializeAsString());
  }
}

TEST(CacheTest, ASecondAskerFindsThePrompt) {
  for (const char* type : {"float32", "f16", "bf16"}) {
    const std::string flag = std::string("--cache_dtype=") + type;
    const v1::GenerateRequest request = GreedyRequest(
        "User:what helps against fever and headache\nAssistant:", 9);
    Answer plain;
    {
      Cluster cluster(Model(), {.dense_flags = {flag, "--noprefix_caching"},
                                .expert_flags = {flag}});
      cluster.Start();
      plain = Generate(*cluster.NewStub(), request);
      ExpectSame(plain, Generate(*cluster.NewStub(), request));
      EXPECT_EQ(
          cluster.Metric("dense-worker-0", "apollo_prefix_cache_hits_total"),
          0);
    }
    Cluster cluster(Model(),
                    {.expert_workers = 2,
                     .dense_flags = {flag, "--token_budget=7",
                                     "--steps_in_flight=1", "--cache_prefault"},
                     .expert_flags = {flag, "--cache_prefault"}});
    cluster.Start();
    const Answer first = Generate(*cluster.NewStub(), request),
                 second = Generate(*cluster.NewStub(), request);
    ExpectSame(first, plain);
    ExpectSame(second, plain);
    EXPECT_EQ(first.started.cached_tokens(), 0u);
    const unsigned tokens = second.started.prompt_tokens();
    EXPECT_GT(tokens, 32u);
    EXPECT_EQ(second.started.cached_tokens(), tokens / 16 * 16);
    EXPECT_EQ(second.finished.usage().cached_tokens(), tokens / 16 * 16);
    EXPECT_EQ(
        cluster.Metric("dense-worker-0", "apollo_prefix_cache_queries_total"),
        2 * tokens);
    EXPECT_EQ(
        cluster.Metric("dense-worker-0", "apollo_prefix_cache_hits_total"),
        tokens / 16 * 16);
    // The sequence went to the worker that holds it.
    double held = 0;
    for (const char* worker : {"expert-worker-0", "expert-worker-1"}) {
      held += cluster.Metric(worker, "apollo_expert_prefix_cache_hits_total");
      EXPECT_EQ(
          cluster.Metric(worker, "apollo_expert_prefix_cache_misses_total"), 0);
    }
    EXPECT_EQ(held, (tokens - 1) / 16 * 16);
    cluster.StopAll();
  }
}

// Answers that together need more blocks than exist.
TEST(CacheTest, AFullCacheOfTheDenseWorkerDelaysButChangesNothing) {
  constexpr int kRequests = 12;
  Cluster roomy(Model(), {});
  roomy.Start();
  const auto expected = OneAfterTheOther(roomy, kRequests);
  // 1 MiB holds about 2,700 tokens of this model; 12 answers need 5,500.
  // Without a reserve for their growth, all that fit at first begin.
  Cluster small(Model(),
                {.dense_flags = {"--cache_megabytes=1", "--token_budget=100",
                                 "--overcommit=0"}});
  small.Start();
  const auto answers = AllAtOnce(small, kRequests);
  for (int i = 0; i < kRequests; ++i) {
    SCOPED_TRACE(i);
    ExpectSame(answers[i], expected[i]);
  }
  EXPECT_GT(small.Metric("dense-worker-0", "apollo_num_preemptions_total"), 0);
  small.StopAll();
}

TEST(CacheTest, AFullCacheOfTheExpertWorkerDelaysButChangesNothing) {
  constexpr int kRequests = 16;
  Cluster roomy(Model(), {});
  roomy.Start();
  const auto expected = OneAfterTheOther(roomy, kRequests);
  // 1 MiB holds about 4,000 tokens there; 16 answers need 7,300.
  Cluster small(Model(),
                {.dense_workers = 2, .expert_flags = {"--cache_megabytes=1"}});
  small.Start();
  const auto answers = AllAtOnce(small, kRequests);
  for (int i = 0; i < kRequests; ++i) {
    SCOPED_TRACE(i);
    ExpectSame(answers[i], expected[i]);
  }
  EXPECT_GT(
      small.Metric("expert-worker-0", "apollo_num_expert_preemptions_total"),
      0);
  small.StopAll();
}

}  // namespace
}  // namespace apollo

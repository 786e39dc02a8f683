// Links between real cores that are cut at any moment and come back, by a seed.
// While another worker can take over, every answer must be complete; and in
// any case no token may be wrong.

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

#include "model/weights/weight_names.h"
#include "tests/faults/frames/cut_net.h"

namespace apollo {
namespace {

const OpenModel& Model() {
  static const OpenModel* const model = new OpenModel(
      *OpenModelDirectory("tests/golden/published", *ParseWeights("float32")));
  return *model;
}

// What a client sees of a sequence.
class Sink final : public GenerationSink {
 public:
  void OnStarted(const GenerationStarted&) override {}
  void OnPrompt(const PromptLogprobs&) override {}
  void OnToken(const GeneratedToken& token) override {
    EXPECT_FALSE(finished) << "a token after the end";
    EXPECT_EQ(token.index, static_cast<int>(tokens.size()));
    tokens.push_back(token.token);
    logprobs.push_back(token.logprob);
  }
  void OnFinished(absl::StatusOr<GenerationFinished> result) override {
    EXPECT_FALSE(finished) << "finished twice";
    finished = true;
    status = result.status();
  }
  bool finished = false;
  absl::Status status;
  std::vector<std::int32_t> tokens;
  std::vector<float> logprobs;
};
using Sinks = std::vector<std::shared_ptr<Sink>>;

std::vector<GenerationRequest> SomeRequests(unsigned seed) {
  std::mt19937 random(seed);
  std::vector<GenerationRequest> requests(8);
  for (GenerationRequest& request : requests) {
    const auto size = 1 + random() % 60;
    for (unsigned i = 0; i < size; ++i) {
      request.prompt.push_back(static_cast<std::int32_t>(random() % 256));
    }
    request.max_new_tokens = static_cast<int>(4 + random() % 20);
    request.family = static_cast<int>(random() % 7);
    request.hybrid = random() % 2 == 0;
    request.sampling.temperature = random() % 2 == 0 ? 0.0f : 0.9f;
    request.sampling.frequency_penalty = random() % 2 == 0 ? 0.0f : 0.7f;
    request.sampling.seed = random();
    request.ignore_eos = true;
  }
  return requests;
}

struct Answers {
  Sinks sinks;
  int cuts = 0;
  int left = 0;  // Sequences that a worker still holds.
};

Answers RunAll(const std::vector<GenerationRequest>& requests,
               const CutNet::Shape& shape, unsigned seed) {
  Answers answers;
  CutNet net(Model(), shape, seed);
  for (const GenerationRequest& request : requests) {
    answers.sinks.push_back(std::make_shared<Sink>());
    net.Submit(answers.sinks.size(), request, answers.sinks.back());
  }
  int turns = 0;
  while (net.Turn() && ++turns < 1'000'000) {
  }
  EXPECT_LT(turns, 1'000'000) << "it does not end";
  answers.cuts = net.cuts();
  answers.left = net.sequences();
  return answers;
}

// Returns the number of answers that failed.
int Compare(const Sinks& got, const Sinks& wanted) {
  int failed = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_TRUE(got[i]->finished);
    EXPECT_LE(got[i]->tokens.size(), wanted[i]->tokens.size());
    const std::size_t size =
        std::min(got[i]->tokens.size(), wanted[i]->tokens.size());
    for (std::size_t t = 0; t < size; ++t) {
      EXPECT_EQ(got[i]->tokens[t], wanted[i]->tokens[t]) << "token " << t;
      EXPECT_EQ(got[i]->logprobs[t], wanted[i]->logprobs[t]) << "token " << t;
    }
    if (got[i]->status.ok()) {
      EXPECT_EQ(got[i]->tokens.size(), wanted[i]->tokens.size());
    } else {
      EXPECT_EQ(got[i]->status.code(), absl::StatusCode::kUnavailable)
          << got[i]->status;
      ++failed;
    }
  }
  return failed;
}

TEST(CutLinksTest, AnswersGoOnWithTheSameTokens) {
  int cuts = 0, failed = 0;
  for (unsigned seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<GenerationRequest> requests = SomeRequests(seed);
    const Answers wanted = RunAll(requests, {}, seed);
    const Answers got = RunAll(
        requests,
        {.dense_workers = 2, .expert_workers = 3, .events_per_cut = 60}, seed);
    failed += Compare(got.sinks, wanted.sinks);
    EXPECT_EQ(got.left, 0);
    cuts += got.cuts;
  }
  EXPECT_GT(cuts, 100);
  EXPECT_EQ(failed, 0);
}

TEST(CutLinksTest, WithoutAnotherWorkerAnswersFailButAreNeverWrong) {
  int cuts = 0, failed = 0;
  for (unsigned seed = 0; seed < 15; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<GenerationRequest> requests = SomeRequests(seed);
    const Answers wanted = RunAll(requests, {}, seed);
    const Answers got = RunAll(requests, {.events_per_cut = 60}, seed);
    failed += Compare(got.sinks, wanted.sinks);
    EXPECT_EQ(got.left, 0);
    cuts += got.cuts;
  }
  EXPECT_GT(cuts, 10);
  EXPECT_GT(failed, 10);
}

}  // namespace
}  // namespace apollo

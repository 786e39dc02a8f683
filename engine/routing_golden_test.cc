// Compares the experts and weights of each token with the independent
// implementation in tests/golden: TOPK, and HYBRID with every family's expert.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "common/json.h"
#include "common/mapped_file.h"
#include "engine/test_stages.h"

namespace apollo {
namespace {

// The record is rounded to 1e-6. A float32 probability, from a hidden state
// some layers deep, differs from the oracle's float64 by a few 1e-6.
constexpr double kWeightTolerance = 1e-5;

Json Expected(const std::string& name) {
  const std::string path = "tests/golden/" + name + "/expected.json";
  const auto text = ReadFile(path, 16 << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  const auto json = ParseJson(text.value_or("{}"), path);
  EXPECT_TRUE(json.ok()) << json.status();
  return json.value_or(Json::object());
}

class RoutingGoldenTest : public testing::TestWithParam<const char*> {
 protected:
  // The tokens that went through the layers: the prompt and all generated
  // tokens except the last.
  Sequence SequenceOf(const Json& routing) const {
    Sequence sequence;
    sequence.pinned = routing["expert"].get<int>();
    for (const Json& prompt : expected_["prompts"]) {
      if (prompt["name"] != routing["prompt"]) continue;
      sequence.tokens = prompt["ids"].get<std::vector<std::int32_t>>();
    }
    EXPECT_FALSE(sequence.tokens.empty());
    for (const Json& run : expected_["runs"]) {
      if (run["prompt"] != routing["prompt"] ||
          run["expert"] != routing["expert"]) {
        continue;
      }
      const auto ids = run["ids"].get<std::vector<std::int32_t>>();
      sequence.tokens.insert(sequence.tokens.end(), ids.begin(), ids.end() - 1);
    }
    return sequence;
  }

  void Compare(const Json& routing, const Sequence& sequence) {
    const ModelConfig& config = model_.config;
    const std::size_t k = config.experts_per_token;
    ASSERT_EQ(static_cast<int>(routing["layers"].size()),
              config.num_sparse_layers());
    for (const Json& layer : routing["layers"]) {
      const int number = layer["layer"].get<int>();
      SCOPED_TRACE(testing::Message() << "layer " << number);
      const std::vector<ExpertChoice>& choices = sequence.choices.at(number);
      ASSERT_EQ(layer["experts"].size(), sequence.tokens.size());
      ASSERT_EQ(choices.size(), sequence.tokens.size() * k);
      for (std::size_t t = 0; t < sequence.tokens.size(); ++t) {
        ASSERT_EQ(layer["experts"][t].size(), k);
        for (std::size_t j = 0; j < k; ++j) {
          const ExpertChoice& choice = choices[t * k + j];
          EXPECT_EQ(choice.expert, layer["experts"][t][j].get<int>())
              << "token " << t << ", choice " << j;
          EXPECT_NEAR(choice.weight, layer["weights"][t][j].get<double>(),
                      kWeightTolerance)
              << "token " << t << ", choice " << j;
          ++compared_;
        }
      }
    }
  }

  const OpenModel model_ = OpenGolden(GetParam());
  const Json expected_ = Expected(GetParam());
  std::size_t compared_ = 0;
};

TEST_P(RoutingGoldenTest, ExpertsAndWeightsAreTheOracles) {
  Stages stages(model_, 2);
  std::set<int> pinned;
  for (const Json& routing : expected_["routing"]) {
    SCOPED_TRACE(testing::Message() << "expert " << routing["expert"]);
    Sequence sequence = SequenceOf(routing);
    pinned.insert(sequence.pinned);
    // In pieces like those of the scheduler: prompt chunks, then single tokens.
    stages.Step({{&sequence, 11}});
    while (sequence.next < static_cast<int>(sequence.tokens.size())) {
      stages.Step({{&sequence, 1}});
    }
    Compare(routing, sequence);
    stages.Release(sequence);
  }
  // -1 (TOPK) and every expert.
  EXPECT_EQ(static_cast<int>(pinned.size()), model_.config.num_experts + 1);
  EXPECT_GT(compared_, 0u);
}

// Sequences of different families in one batch keep their own pinned experts.
TEST_P(RoutingGoldenTest, AllFamiliesInOneBatch) {
  Stages stages(model_, 2);
  std::vector<Sequence> sequences;
  for (const Json& routing : expected_["routing"]) {
    sequences.push_back(SequenceOf(routing));
  }
  std::vector<std::pair<Sequence*, int>> parts;
  for (Sequence& sequence : sequences) {
    parts.push_back({&sequence, static_cast<int>(sequence.tokens.size())});
  }
  stages.Step(parts);
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    SCOPED_TRACE(testing::Message() << "expert " << sequences[i].pinned);
    Compare(expected_["routing"][i], sequences[i]);
  }
  EXPECT_GT(compared_, 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, RoutingGoldenTest,
    testing::Values("all_sparse", "every_expert", "published", "qwen3_experts",
                    "rope_linear", "rope_llama3", "rope_yarn",
                    "shared_expert_f16", "sharded_f32", "twelve_experts",
                    "wide"),
    [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace apollo

// The results of a sequence in an expert stage on a GPU depend only on the
// sequence, and are those of the stage on the CPU but for rounding.
#include "engine/cuda/cuda_expert_stage.h"

#include <cmath>

#include "engine/cuda/expert_stage_testing.h"

namespace apollo {
namespace {

// --- Against the CPU -------------------------------------------------------

// Log-probabilities may differ by the rounding of operands to bf16 (2^-9 of
// each, of either sign). A row goes through about 15 roundings in two layers
// and the head, which add up in squares: sqrt(15) * 2^-9 / sqrt(3) = 0.0044 of
// the deviation of the logits. The largest error of a hundred numbers is within
// 5 deviations; a half more for values that are larger than the others.
constexpr float kTolerance = 5 * 0.0044f * 1.5f;

class AgainstTheCpuTest : public CudaExpertStageTest {
 protected:
  // deviation: the standard deviation of the logits.
  void Compare(float deviation = 1) {
    const auto gpu = LoadAll();
    const auto cpu = LoadCpu();
    std::vector<TestSequence> ours = Sequences(), theirs = Sequences();
    Run(*gpu, PartsOf(ours), nullptr, SamplingOptions());
    Run(*cpu, PartsOf(theirs), nullptr, SamplingOptions());
    int equal = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      // Where two experts are nearly equal, another one may be chosen.
      if (ours[i].use != theirs[i].use) continue;
      ++equal;
      SCOPED_TRACE(i);
      ExpectClose(ours[i], theirs[i], kTolerance * deviation);
    }
    // One row in a few dozen has experts that are closer than the rounding.
    EXPECT_GE(equal, 14);
  }

 private:
  static std::vector<TestSequence> Sequences() {
    std::vector<TestSequence> sequences;
    for (int i = 0; i < 17; ++i) {
      sequences.push_back(
          MakeSequence(i, i == 0 ? 18 : 1 + i % 3, i % 4 == 1 ? 3 : -1));
    }
    return sequences;
  }
  static std::vector<Part> PartsOf(std::vector<TestSequence>& sequences) {
    std::vector<Part> parts;
    for (TestSequence& sequence : sequences) {
      parts.push_back({&sequence, sequence.boundary.rows()});
    }
    return parts;
  }
  static void ExpectClose(const TestSequence& gpu, const TestSequence& cpu,
                          float tolerance) {
    ASSERT_EQ(gpu.logprobs.size(), cpu.logprobs.size());
    for (std::size_t i = 0; i < cpu.logprobs.size(); ++i) {
      EXPECT_NEAR(gpu.logprobs[i], cpu.logprobs[i], tolerance) << i;
    }
    EXPECT_EQ(gpu.off_family, cpu.off_family);
    const SampledToken& ours = gpu.sampled.at(0);
    const SampledToken& theirs = cpu.sampled.at(0);
    EXPECT_NEAR(ours.logprob, theirs.logprob, tolerance);
    ASSERT_EQ(ours.alternatives.size(), 3u);
    // Equal unless the two best are close.
    if (theirs.alternatives[0].logprob - theirs.alternatives[1].logprob >
        2 * tolerance) {
      EXPECT_EQ(ours.token, theirs.token);
    }
    for (int i = 0; i < 3; ++i) {
      EXPECT_NEAR(ours.alternatives[i].logprob, theirs.alternatives[i].logprob,
                  tolerance);
    }
  }
};

TEST_F(AgainstTheCpuTest, BiasAndPlainExperts) { Compare(); }

TEST_F(AgainstTheCpuTest, NoBiasAndNormalisedExperts) {
  ModelConfig config = RandomModelConfig();
  config.attention_bias = false;
  config.norm_topk_prob = true;
  config.experts_per_token = 3;
  config.num_kv_heads = 2;
  UseModel(config);
  Compare();
}

TEST_F(AgainstTheCpuTest, SharedExpertAndTiedHead) {
  ModelConfig config = RandomModelConfig();
  config.shared_expert = true;
  config.tie_word_embeddings = true;
  config.experts_per_token = 1;
  UseModel(config);
  // Numbers of the embedding, unlike those of a head, have a deviation of 1.
  Compare(std::sqrt(static_cast<float>(config.hidden_size)));
}

TEST_F(AgainstTheCpuTest, ScaledPositions) {
  ModelConfig config = RandomModelConfig();
  config.rope_scaling.type = RopeType::kYarn;
  config.rope_scaling.factor = 16;
  config.rope_scaling.original_context = 8;
  config.rope_scaling.attention_factor = 1.5;
  UseModel(config);
  Compare();
}

TEST_F(AgainstTheCpuTest, OnlySparseLayers) {
  ModelConfig config = RandomModelConfig();
  config.boundary = 0;
  config.num_layers = 2;
  UseModel(config);
  Compare();
}

TEST_F(AgainstTheCpuTest, NormsOfQueriesAndKeysAndLargerHeads) {
  ModelConfig config = RandomModelConfig();
  config.qk_norm = true;
  config.attention_bias = false;
  config.head_size = 64;  // Twice the hidden size over the heads.
  UseModel(config);
  Compare();
}

TEST_F(AgainstTheCpuTest, TheLastLayerOfADenseModel) {
  UseModel(DenseModelConfig());
  Compare();
}

// --- A row depends only on its sequence ------------------------------------

class CudaExpertRowsTest : public CudaExpertStageTest {
 protected:
  // The results of the sequence alone, in one step.
  TestSequence Alone(int seed, int rows, int family = -1) {
    const auto stage = LoadAll();
    TestSequence sequence = MakeSequence(seed, rows, family);
    Run(*stage, {{&sequence, rows}});
    return sequence;
  }
};

TEST_F(CudaExpertRowsTest, ResultsDependOnRowsAndFamily) {
  const TestSequence one = Alone(1, 5), other = Alone(2, 5),
                     pinned = Alone(1, 5, 3);
  EXPECT_NE(one.logprobs, other.logprobs);
  EXPECT_NE(one.logprobs, pinned.logprobs);
  for (const float x : one.logprobs) EXPECT_TRUE(std::isfinite(x) && x < 0);
  for (int layer = 0; layer < 2; ++layer) {
    EXPECT_EQ(pinned.use[layer * 7 + 3], 5u);
  }
}

TEST_F(CudaExpertRowsTest, ChunksAndNeighboursDoNotMatter) {
  const TestSequence a = Alone(1, 37), b = Alone(2, 21, 2), c = Alone(3, 18, 0);
  const auto stage = LoadAll();
  TestSequence chunked = MakeSequence(1, 37);
  for (const int rows : {16, 1, 7, 13}) Run(*stage, {{&chunked, rows}});
  ExpectSame(chunked, a);
  // Blocks of another sequence are used again.
  stage->blocks().Release(chunked.blocks);
  TestSequence x = MakeSequence(1, 37), y = MakeSequence(2, 21, 2),
               z = MakeSequence(3, 18, 0);
  Run(*stage, {{&x, 30}, {&y, 1}});
  Run(*stage, {{&y, 15}, {&z, 3}, {&x, 1}});
  Run(*stage, {{&z, 14}});
  Run(*stage, {{&x, 6}, {&y, 5}, {&z, 1}});
  ExpectSame(x, a);
  ExpectSame(y, b);
  ExpectSame(z, c);
  EXPECT_EQ(stage->grown(), 0);
}

TEST_F(CudaExpertRowsTest, StepsLargerThanAPieceGiveTheSame) {
  const TestSequence a = Alone(1, 37), b = Alone(2, 21, 2);
  const auto stage = LoadAll(/*max_rows=*/16);
  TestSequence x = MakeSequence(1, 37), y = MakeSequence(2, 21, 2);
  Run(*stage, {{&x, 37}, {&y, 21}});
  ExpectSame(x, a);
  ExpectSame(y, b);
  EXPECT_EQ(stage->grown(), 1);  // The memory of the step.
}

TEST_F(CudaExpertRowsTest, RowsOfAnyKindGiveTheSame) {
  const TestSequence expected = Alone(1, 12);
  const auto stage = LoadAll();
  for (const RowType type : {RowType::kBf16, RowType::kF32}) {
    TestSequence sequence = MakeSequence(1, 12);
    sequence.boundary = OnDevice(sequence.boundary, type);
    Run(*stage, {{&sequence, 12}});
    ExpectSame(sequence, expected);
  }
  // All in one step.
  TestSequence host = MakeSequence(1, 12), f32 = MakeSequence(1, 12),
               bf16 = MakeSequence(1, 12);
  f32.boundary = OnDevice(f32.boundary, RowType::kF32);
  bf16.boundary = OnDevice(bf16.boundary, RowType::kBf16);
  Run(*stage, {{&bf16, 12}, {&host, 12}, {&f32, 12}});
  ExpectSame(host, expected);
  ExpectSame(f32, expected);
  ExpectSame(bf16, expected);
}

TEST_F(CudaExpertRowsTest, IntegerWeightsFollowTheSameRules) {
  for (const WeightFormat format : {WeightFormat::kInt8, WeightFormat::kInt4}) {
    SCOPED_TRACE(InfoOf(format).name);
    UseModel(RandomModelConfig(), format);
    const TestSequence a = Alone(1, 20);
    const auto stage = LoadAll(16);
    TestSequence x = MakeSequence(1, 20), y = MakeSequence(2, 3);
    Run(*stage, {{&y, 2}, {&x, 9}});
    Run(*stage, {{&x, 11}, {&y, 1}});
    ExpectSame(x, a);
  }
}

// --- Tokens ----------------------------------------------------------------

TEST_F(CudaExpertStageTest, SamplingDependsOnSeedAndPositionOnly) {
  const auto stage = LoadAll();
  SamplingOptions options;
  options.temperature = 1;
  options.seed = 7;
  std::vector<std::int32_t> tokens;
  for (int i = 0; i < 2; ++i) {
    // Alone, and after another one.
    TestSequence other = MakeSequence(5, 3), sequence = MakeSequence(1, 4);
    std::vector<Part> parts = {{&sequence, 4}};
    if (i == 1) parts.insert(parts.begin(), {&other, 3});
    Run(*stage, parts, nullptr, options);
    tokens.push_back(sequence.sampled.at(0).token);
  }
  EXPECT_EQ(tokens[0], tokens[1]);
}

TEST_F(CudaExpertStageTest, DrawnTokensAreNearlyAlwaysThoseOfTheCpu) {
  const auto gpu = LoadAll();
  const auto cpu = LoadCpu();
  SamplingOptions options;
  options.temperature = 0.3f;  // Draws from the first few, which are far apart.
  options.top_p = 0.95f;
  options.seed = 3;
  std::vector<TestSequence> ours, theirs;
  std::vector<Part> a, b;
  for (int i = 0; i < 16; ++i) {
    ours.push_back(MakeSequence(i, 1 + i % 4));
    theirs.push_back(MakeSequence(i, 1 + i % 4));
  }
  for (int i = 0; i < 16; ++i) {
    a.push_back({&ours[i], 1 + i % 4});
    b.push_back({&theirs[i], 1 + i % 4});
  }
  Run(*gpu, a, nullptr, options);
  Run(*cpu, b, nullptr, options);
  // Two tokens change places if they are closer than the rounding.
  int equal = 0, others = 0;
  for (int i = 0; i < 16; ++i) {
    const SampledToken& token = ours[i].sampled.at(0);
    equal += token.token == theirs[i].sampled.at(0).token ? 1 : 0;
    others += token.token != token.alternatives.at(0).token ? 1 : 0;
  }
  EXPECT_GE(equal, 14);
  EXPECT_GE(others, 4);  // Those that a greedy choice would not give.
}

TEST_F(CudaExpertStageTest, PenaltiesChangeTheTokenButNotItsLogprob) {
  const auto stage = LoadAll();
  SamplingOptions options;
  TestSequence sequence = MakeSequence(1, 4);
  Run(*stage, {{&sequence, 4}}, nullptr, options);
  const SampledToken best = sequence.sampled.at(0);
  EXPECT_EQ(best.token, best.alternatives.at(0).token);
  EXPECT_EQ(best.logprob, best.alternatives.at(0).logprob);
  generated_ = {{best.token, 30}};
  options.frequency_penalty = 2;
  TestSequence again = MakeSequence(1, 4);
  Run(*stage, {{&again, 4}}, nullptr, options);
  const SampledToken second = again.sampled.at(0);
  EXPECT_EQ(second.token, best.alternatives.at(1).token);
  EXPECT_EQ(second.logprob, best.alternatives.at(1).logprob);
  EXPECT_TRUE(second.alternatives == best.alternatives);
}

TEST_F(CudaExpertStageTest, LogitsThatAreNotFiniteFailTheirSliceOnly) {
  const auto stage = LoadAll();
  TestSequence good = MakeSequence(1, 6), bad = MakeSequence(2, 3),
               expected = MakeSequence(1, 6);
  Run(*stage, {{&expected, 6}});
  for (float& x : bad.boundary.host()) x = std::nanf("");
  const std::vector<Part> parts = {{&bad, 3}, {&good, 6}};
  const auto step = Begin(*stage, parts);
  for (int l = config_.boundary; l < config_.num_layers; ++l) {
    RunLayer(*stage, *step, l);
  }
  const auto outcomes =
      Finish(*stage, *step, Requests(parts, SamplingOptions()));
  EXPECT_FALSE(outcomes[0].finite);
  EXPECT_FALSE(outcomes[0].sampled.has_value());
  EXPECT_TRUE(outcomes[0].score_logprobs.empty());
  EXPECT_TRUE(outcomes[1].finite);
  EXPECT_EQ(outcomes[1].score_logprobs, expected.logprobs);
}

TEST_F(CudaExpertStageTest, StepsWithoutRequestsReportTheUseOfExperts) {
  const auto stage = LoadAll();
  TestSequence sequence = MakeSequence(1, 4);
  const auto step = Begin(*stage, {{&sequence, 4}});
  for (int l = config_.boundary; l < config_.num_layers; ++l) {
    bool done = false;
    // Nothing is waited for.
    stage->RunLayer(
        *step, l, {},
        [](std::vector<AbsentRows>) { ADD_FAILURE() << "an absent expert"; },
        [&](std::vector<Rows> outputs) { done = outputs.empty(); });
    EXPECT_TRUE(done);
  }
  const auto outcomes = Finish(*stage, *step, {});
  ASSERT_EQ(outcomes.size(), 1u);
  std::uint32_t sum = 0;
  for (const std::uint32_t count : outcomes[0].expert_use) sum += count;
  EXPECT_EQ(sum, 4u * 2 * 2);  // Rows, choices, layers.
}

}  // namespace
}  // namespace apollo

// Both stages together, on tiny checkpoints: a sequence's results depend only
// on the sequence.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/test_stages.h"

namespace apollo {
namespace {

class StageTest
    : public testing::TestWithParam<std::tuple<std::string, CacheType>> {
 protected:
  // The results of the sequence alone, in one step, with one thread.
  std::vector<float> Reference(Sequence sequence) {
    Stages stages(model_, 1, type_);
    const int rows = static_cast<int>(sequence.tokens.size());
    stages.Step({{&sequence, rows}});
    return sequence.logits;
  }
  const OpenModel model_ = OpenGolden(std::get<0>(GetParam()));
  const CacheType type_ = std::get<1>(GetParam());
};

INSTANTIATE_TEST_SUITE_P(
    Cases, StageTest,
    testing::Combine(testing::Values("published", "all_sparse", "every_expert",
                                     "twelve_experts", "qwen3_experts",
                                     "dense_qwen2", "dense_qwen3",
                                     "dense_one_layer"),
                     testing::Values(CacheType::kFloat32, CacheType::kBf16,
                                     CacheType::kF16)),
    [](const auto& info) {
      return std::get<0>(info.param) +
             (std::get<1>(info.param) == CacheType::kBf16  ? "_bf16"
              : std::get<1>(info.param) == CacheType::kF16 ? "_f16"
                                                           : "");
    });

// Returns the relative difference between the logits and those with a float32
// cache.
double ChangeBy(CacheType type) {
  const OpenModel model = OpenGolden("published");
  Stages exact(model, 1, CacheType::kFloat32), half(model, 1, type);
  EXPECT_EQ(half.expert->blocks().total(), 2 * exact.expert->blocks().total());
  // The boundary activations are always float32.
  EXPECT_LT(half.dense->blocks().total(), 2 * exact.dense->blocks().total());
  EXPECT_GT(half.dense->blocks().total(), exact.dense->blocks().total());
  Sequence a = Make(40, 1), b = Make(40, 1);
  exact.Step({{&a, 40}});
  half.Step({{&b, 40}});
  EXPECT_FALSE(a.logits == b.logits);
  // The measure is the distance between the logits.
  double change = 0, size = 0;
  for (std::size_t i = 0; i < a.logits.size(); ++i) {
    change += std::pow(a.logits[i] - b.logits[i], 2);
    size += std::pow(a.logits[i], 2);
  }
  return std::sqrt(change / size);
}

TEST(CacheTypeTest, SixteenBitsHalveTheBlocksAndChangeLogitsALittle) {
  // The relative rounding error is at most 2^-9 with 8 bits of precision, and
  // 2^-12 with 11.
  EXPECT_LT(ChangeBy(CacheType::kBf16), 0.02);
  EXPECT_LT(ChangeBy(CacheType::kF16), 0.0025);
}

// Returns the distance of a model's logits in a format from those in float32:
// per row, the root mean square of the difference relative to that of the
// logits; of these, the median, because a row whose gate chooses another expert
// is far off.
double Distance(const std::string& name, WeightFormat format) {
  const OpenModel exact =
      *OpenModelDirectory("tests/golden/" + name, WeightFormat::kF32);
  const OpenModel rounded = *OpenModelDirectory("tests/golden/" + name, format);
  Stages a(exact, 1), b(rounded, 1);
  Sequence x = Make(60, 1), y = Make(60, 1);
  a.Step({{&x, 60}});
  b.Step({{&y, 60}});
  std::vector<double> rows;
  const int vocab = exact.config.vocab_size;
  for (int r = 0; r < 60; ++r) {
    double change = 0, size = 0;
    for (int i = r * vocab; i < (r + 1) * vocab; ++i) {
      change += std::pow(x.logits[i] - y.logits[i], 2);
      size += std::pow(x.logits[i], 2);
    }
    rows.push_back(std::sqrt(change / size));
  }
  std::nth_element(rows.begin(), rows.begin() + 30, rows.end());
  return rows[30];
}

TEST(WeightsFormatTest, FormatsChangeLogitsAsMuchAsTheyRound) {
  for (const char* name : {"published", "shared_expert_f16", "sharded_f32",
                           "qwen3_experts", "dense_qwen3"}) {
    SCOPED_TRACE(name);
    const double bf16 = Distance(name, WeightFormat::kBF16);
    const double int8 = Distance(name, WeightFormat::kInt8);
    const double int4 = Distance(name, WeightFormat::kInt4);
    // bf16 rounds a number by up to 2^-9 of itself; int8 by half of 1/127 of
    // the largest number of its group, for both weights and activations; int4
    // by half of 1/15 of the range of its group. The errors of a few layers add
    // up in squares.
    EXPECT_LT(bf16, 0.03);
    EXPECT_GT(int8, 0.0005);
    EXPECT_LT(int8, 0.1);
    EXPECT_GT(int4, int8);
    EXPECT_LT(int4, 0.5);
  }
}

TEST_P(StageTest, TheReferenceDependsOnItsTokensAndItsExpert) {
  const std::size_t vocab = model_.config.vocab_size;
  const std::vector<float> logits = Reference(Make(40, 1));
  ASSERT_EQ(logits.size(), 40 * vocab);
  for (const float x : logits) ASSERT_TRUE(std::isfinite(x));
  // A changed token changes the rows from there on, and none before.
  Sequence other = Make(40, 1);
  other.tokens[20] = (other.tokens[20] + 1) % 256;
  const std::vector<float> changed = Reference(other);
  EXPECT_TRUE(
      std::equal(logits.begin(), logits.begin() + 20 * vocab, changed.begin()));
  for (std::size_t r = 20; r < 40; ++r) {
    EXPECT_FALSE(std::equal(logits.begin() + r * vocab,
                            logits.begin() + (r + 1) * vocab,
                            changed.begin() + r * vocab))
        << r;
  }
  if (model_.config.experts_per_token < model_.config.num_experts) {
    EXPECT_TRUE(Reference(Make(40, 1, 0)) != Reference(Make(40, 1, 1)));
  }
}

TEST_P(StageTest, LogitsDoNotDependOnChunksThreadsOrNeighbours) {
  const Sequence first = Make(40, 1), second = Make(37, 2, 2),
                 third = Make(18, 3, 0);
  const std::vector<float> expected[] = {Reference(first), Reference(second),
                                         Reference(third)};
  for (const int threads : {1, 2, 3}) {
    Stages stages(model_, threads, type_);
    // Alone, in chunks that do and do not end at block boundaries.
    for (const std::vector<int>& chunks :
         std::vector<std::vector<int>>{{40},
                                       {16, 16, 8},
                                       {1, 38, 1},
                                       {7, 8, 9, 10, 6},
                                       std::vector<int>(40, 1)}) {
      Sequence alone = first;
      for (const int rows : chunks) stages.Step({{&alone, rows}});
      EXPECT_TRUE(alone.logits == expected[0])
          << threads << " threads, " << chunks.size() << " chunks";
    }
    // With others: whole prompts, then chunks with changing neighbours and
    // order.
    Sequence a = first, b = second, c = third;
    stages.Step({{&c, 18}, {&a, 40}, {&b, 37}});
    EXPECT_TRUE(a.logits == expected[0]) << threads;
    EXPECT_TRUE(b.logits == expected[1]) << threads;
    EXPECT_TRUE(c.logits == expected[2]) << threads;
    a = first, b = second, c = third;
    stages.Step({{&a, 30}, {&b, 1}});
    stages.Step({{&b, 20}, {&c, 3}, {&a, 1}});
    stages.Step({{&c, 1}});
    stages.Step({{&a, 1}, {&b, 1}, {&c, 14}});
    stages.Step({{&a, 8}, {&b, 15}});
    EXPECT_TRUE(a.logits == expected[0]) << threads;
    EXPECT_TRUE(b.logits == expected[1]) << threads;
    EXPECT_TRUE(c.logits == expected[2]) << threads;
  }
}

TEST_P(StageTest, ReplayingTheLogGivesTheSameLogits) {
  Stages stages(model_, 2, type_);
  Sequence sequence = Make(40, 4), other = Make(20, 5);
  stages.Step({{&other, 20}, {&sequence, 33}});
  for (int i = 0; i < 7; ++i) stages.Step({{&sequence, 1}});

  // All rows, and some that share a step with others.
  Rows log;
  stages.dense->Forward(
      {{{&other.dense, 0, 20, 20}, {&sequence.dense, 0, 40, 40}}, {}},
      [&](Rows rows) { log = rows.Slice(20, 40); });
  Stages fresh(model_, 1, type_);
  Sequence replayed = Make(40, 4);
  fresh.Finish({{&replayed, 40}}, log);
  EXPECT_TRUE(replayed.logits == sequence.logits);
}

void ExpectOnlyExpertsAskedFor(const OpenModel& model) {
  const ModelConfig& config = model.config;
  ThreadPool pool(1);
  const auto bytes = [&](const std::set<int>& experts) {
    return CpuExpertStage::WeightBytes(config, *model.weights, experts);
  };
  EXPECT_LT(bytes({}), bytes({1}));
  EXPECT_LT(bytes({1}), bytes({1, 3}));
  EXPECT_LT(bytes({1, 3}), bytes(AllExperts(config)));
  EXPECT_EQ(bytes({1, 3}) - bytes({1}), bytes({1}) - bytes({}));

  std::int64_t done = 0, total = 0;
  const auto stage = CpuExpertStage::Load(
      config, *model.weights, {1, 3}, {kCacheBytes}, pool,
      [&](std::int64_t d, std::int64_t t) { done = d, total = t; });
  ASSERT_TRUE(stage.ok()) << stage.status();
  for (int e = 0; e < config.num_experts; ++e) {
    EXPECT_EQ((*stage)->experts().everywhere.contains(e), e == 1 || e == 3)
        << e;
  }
  EXPECT_EQ(done, bytes({1, 3}));
  EXPECT_EQ(total, done);

  const auto dense = CpuDenseStage::Load(
      config, *model.weights, {kCacheBytes}, pool,
      [&](std::int64_t d, std::int64_t t) { done = d, total = t; });
  ASSERT_TRUE(dense.ok());
  if (config.boundary > 0) {
    EXPECT_EQ(done, CpuDenseStage::WeightBytes(config, *model.weights));
    EXPECT_EQ(total, done);
  }
}

TEST(LoadTest, OnlyTheExpertsAskedForAreLoaded) {
  for (const char* name : {"published", "all_sparse", "every_expert",
                           "twelve_experts", "qwen3_experts"}) {
    SCOPED_TRACE(name);
    ExpectOnlyExpertsAskedFor(OpenGolden(name));
  }
}

TEST(LoadTest, ADenseModelHasItsLastLayerInTheExpertStage) {
  const OpenModel model = OpenGolden("dense_qwen2");
  ThreadPool pool(1);
  std::int64_t done = 0, total = 0;
  const auto stage = CpuExpertStage::Load(
      model.config, *model.weights, {}, {kCacheBytes}, pool,
      [&](std::int64_t d, std::int64_t t) { done = d, total = t; });
  ASSERT_TRUE(stage.ok()) << stage.status();
  EXPECT_EQ(done,
            CpuExpertStage::WeightBytes(model.config, *model.weights, {}));
  EXPECT_EQ(total, done);
  EXPECT_EQ(CpuExpertStage::Load(model.config, *model.weights, {0},
                                 {kCacheBytes}, pool, nullptr)
                .status()
                .message(),
            "expert 0 does not exist; this model has no experts");
}

TEST(LoadTest, WhatCannotBeLoadedIsNamed) {
  const OpenModel model = OpenGolden("published");
  ThreadPool pool(1);
  const int n = model.config.num_experts;
  const auto unknown = CpuExpertStage::Load(model.config, *model.weights, {n},
                                            {kCacheBytes}, pool, nullptr);
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(unknown.status().message()).find(std::to_string(n)),
            std::string::npos);
  EXPECT_EQ(
      CpuDenseStage::Load(model.config, *model.weights, {100}, pool, nullptr)
          .status()
          .code(),
      absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(CpuExpertStage::Load(model.config, *model.weights, {0}, {100}, pool,
                                 nullptr)
                .status()
                .code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace apollo

#include "engine/cuda/cuda_dense_stage.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "engine/cpu/cpu_dense_stage.h"
#include "engine/cuda/dense_stage_testing.h"
#include "engine/cuda/random_model.h"

namespace apollo {
namespace {

using cuda::Bf16;

ModelConfig TwoDenseLayers() {
  ModelConfig config = RandomModelConfig();
  config.num_layers = 3;
  config.boundary = 2;
  return config;
}

class CudaDenseStageTest : public cuda::GpuTest {
 protected:
  // The boundary rows of a sequence alone, in one step.
  std::vector<Bf16> Alone(DenseSequence sequence) {
    DenseStageRun run(config_, source_);
    run.Step({{&sequence, static_cast<int>(sequence.tokens.size())}});
    return sequence.boundary;
  }

  const ModelConfig config_ = TwoDenseLayers();
  const RandomWeights source_{config_};
};

// Returns the boundary rows of a sequence on the CPU.
std::vector<float> OnCpu(const ModelConfig& config, const WeightSource& source,
                         const DenseSequence& sequence) {
  ThreadPool pool(1);
  auto stage = CpuDenseStage::Load(config, source, {1 << 20, CacheType::kBf16},
                                   pool, nullptr);
  EXPECT_TRUE(stage.ok()) << stage.status();
  const int rows = static_cast<int>(sequence.tokens.size());
  BlockTable blocks;
  EXPECT_TRUE((*stage)->blocks().Extend(blocks, BlocksFor(rows)));
  std::vector<float> boundary;
  (*stage)->Forward(
      {{{&blocks, 0, rows, 0}}, sequence.tokens}, [&](Rows result) {
        boundary.assign(result.host().begin(), result.host().end());
      });
  return boundary;
}

// Returns the distance of a row from the expected one, relative to its size.
double Distance(const Bf16* actual, const float* expected, int size) {
  double change = 0, all = 0;
  for (int i = 0; i < size; ++i) {
    change += std::pow(F32FromBf16Bits(actual[i]) - expected[i], 2);
    all += std::pow(expected[i], 2);
  }
  return std::sqrt(change / all);
}

// A rounding to bf16 changes a row by up to 2^-9 of its size, 0.0011 in the
// mean. A layer rounds the operands of its products: normed rows (twice),
// queries, keys, values, probabilities, mixed values and activations. Of two
// layers, and of the boundary, that is 17 independent roundings, of parts that
// are no larger than the sum: 0.0047. Twice as much allows for what later
// operations amplify.
constexpr double kRounding = 0.01;

TEST_F(CudaDenseStageTest, BoundaryRowsAreThoseOfTheCpu) {
  struct Case {
    const char* name;
    void (*change)(ModelConfig&);
  };
  for (const Case& c : std::vector<Case>{
           {"biases", [](ModelConfig&) {}},
           {"no biases",
            [](ModelConfig& config) { config.attention_bias = false; }},
           {"a key head per query head",
            [](ModelConfig& config) { config.num_kv_heads = 2; }},
           {"heads of 64",
            [](ModelConfig& config) {
              config.hidden_size = 128;
              config.head_size = 64;
            }},
           {"a bias of the output",
            [](ModelConfig& config) { config.output_bias = true; }},
           {"norms of queries and keys",
            [](ModelConfig& config) { config.qk_norm = true; }},
           {"heads of their own size, with norms", [](ModelConfig& config) {
              config.qk_norm = true;
              config.head_size = 96;
            }}}) {
    SCOPED_TRACE(c.name);
    ModelConfig config = TwoDenseLayers();
    c.change(config);
    const RandomWeights source(config);
    DenseSequence sequence(37);
    DenseStageRun run(config, source);
    run.Step({{&sequence, 30}});
    for (int i = 0; i < 7; ++i) run.Step({{&sequence, 1}});
    const std::vector<float> expected = OnCpu(config, source, sequence);
    const int size = config.hidden_size;
    ASSERT_EQ(sequence.boundary.size(), expected.size());
    for (int r = 0; r < 37; ++r) {
      EXPECT_LT(
          Distance(&sequence.boundary[r * size], &expected[r * size], size),
          kRounding)
          << "row " << r;
      // Rows of other positions are farther off, even with the same token.
      EXPECT_GT(Distance(&sequence.boundary[r * size],
                         &expected[(r + 1) % 37 * size], size),
                4 * kRounding);
    }
  }
}

TEST_F(CudaDenseStageTest, ScaledPositionsAreThoseOfTheCpu) {
  const int size = config_.hidden_size;
  DenseSequence sequence(37);
  const std::vector<float> plain = OnCpu(config_, source_, sequence);
  for (const RopeType type :
       {RopeType::kLinear, RopeType::kYarn, RopeType::kLlama3}) {
    SCOPED_TRACE(RopeTypeName(type));
    ModelConfig config = config_;
    config.rope_scaling.type = type;
    config.rope_scaling.factor = 16;
    config.rope_scaling.original_context = 8;
    if (type == RopeType::kYarn) config.rope_scaling.attention_factor = 1.5;
    DenseSequence scaled(37);
    DenseStageRun run(config, source_);
    run.Step({{&scaled, 37}});
    const std::vector<float> expected = OnCpu(config, source_, scaled);
    ASSERT_EQ(scaled.boundary.size(), expected.size());
    double largest = 0;  // Of the distances from rows that are not scaled.
    for (int r = 0; r < 37; ++r) {
      const Bf16* const row = &scaled.boundary[r * size];
      EXPECT_LT(Distance(row, &expected[r * size], size), kRounding)
          << "row " << r;
      largest = std::max(largest, Distance(row, &plain[r * size], size));
    }
    EXPECT_GT(largest, 2 * kRounding);
  }
}

TEST_F(CudaDenseStageTest, Int8WeightsAreServed) {
  // Weights are rounded to multiples of 1/127 of the largest of 32, which is
  // about twice their deviation: by 0.005 of it in the mean. That is 8 matrices
  // of two layers: 0.014, and twice as much for what later operations amplify.
  const RandomWeights int8(config_, WeightFormat::kInt8);
  DenseSequence sequence(20);
  DenseStageRun run(config_, int8);
  run.Step({{&sequence, 20}});
  const std::vector<float> expected = OnCpu(config_, source_, sequence);
  double farthest = 0;
  for (int r = 0; r < 20; ++r) {
    const double distance =
        Distance(&sequence.boundary[r * config_.hidden_size],
                 &expected[r * config_.hidden_size], config_.hidden_size);
    EXPECT_LT(distance, 0.03) << "row " << r;
    farthest = std::max(farthest, distance);
  }
  EXPECT_GT(farthest, 0.001);
  EXPECT_FALSE(sequence.boundary == Alone(DenseSequence(20)));
}

TEST_F(CudaDenseStageTest, Int4WeightsAreServed) {
  // Weights are rounded to 15 steps of the range of 32, about four deviations:
  // by 0.08 of one in the mean. The stage must be much closer to the CPU with
  // the same weights than to that with the original ones. There activations are
  // rounded to int8.
  const RandomWeights int4(config_, WeightFormat::kInt4);
  DenseSequence sequence(20);
  DenseStageRun run(config_, int4);
  run.Step({{&sequence, 20}});
  const std::vector<float> same = OnCpu(config_, int4, sequence);
  const std::vector<float> original = OnCpu(config_, source_, sequence);
  const int size = config_.hidden_size;
  for (int r = 0; r < 20; ++r) {
    const Bf16* const row = &sequence.boundary[r * size];
    const double near = Distance(row, &same[r * size], size);
    const double far = Distance(row, &original[r * size], size);
    EXPECT_LT(near, 0.04) << "row " << r;
    EXPECT_GT(far, 3 * near) << "row " << r;
    EXPECT_LT(far, 0.5) << "row " << r;
  }
}

TEST_F(CudaDenseStageTest, WithoutDenseLayersRowsAreThoseOfTheEmbedding) {
  ModelConfig config = RandomModelConfig();
  config.boundary = 0;
  const RandomWeights source(config);
  DenseSequence sequence(20);
  DenseStageRun run(config, source);
  run.Step({{&sequence, 20}});
  std::vector<float> expected(config.hidden_size);
  for (int r = 0; r < 20; ++r) {
    source.Embedding(sequence.tokens[r], expected.data());
    EXPECT_EQ(Distance(&sequence.boundary[r * config.hidden_size],
                       expected.data(), config.hidden_size),
              0);
  }
}

TEST_F(CudaDenseStageTest, RowsDoNotDependOnChunksOrNeighbours) {
  const DenseSequence first(40, 1), second(37, 2), third(18, 3);
  const std::vector<Bf16> expected[] = {Alone(first), Alone(second),
                                        Alone(third)};
  EXPECT_FALSE(expected[0] == expected[1]);
  DenseStageRun run(config_, source_, 1 << 20, 95);
  for (const std::vector<int>& chunks : std::vector<std::vector<int>>{
           {16, 16, 8}, {1, 38, 1}, {7, 8, 9, 10, 6}}) {
    DenseSequence alone = first;
    for (const int rows : chunks) run.Step({{&alone, rows}});
    EXPECT_TRUE(alone.boundary == expected[0]) << chunks.size() << " chunks";
  }
  DenseSequence a = first, b = second, c = third;
  run.Step({{&c, 18}, {&a, 40}, {&b, 37}});
  EXPECT_TRUE(a.boundary == expected[0]);
  EXPECT_TRUE(b.boundary == expected[1]);
  EXPECT_TRUE(c.boundary == expected[2]);
  a = first, b = second, c = third;
  run.Step({{&a, 30}, {&b, 1}});
  run.Step({{&b, 20}, {&c, 3}, {&a, 1}});
  run.Step({{&c, 1}});
  run.Step({{&a, 1}, {&b, 1}, {&c, 14}});
  run.Step({{&a, 8}, {&b, 15}});
  EXPECT_TRUE(a.boundary == expected[0]);
  EXPECT_TRUE(b.boundary == expected[1]);
  EXPECT_TRUE(c.boundary == expected[2]);
}

TEST_F(CudaDenseStageTest, ALongContextDoesNotDependOnChunks) {
  // Attention has several splits, in tasks of their own and together.
  const DenseSequence first(300, 4);
  DenseStageRun run(config_, source_, 1 << 20, 300);
  DenseSequence whole = first, chunks = first;
  run.Step({{&whole, 299}});
  run.Step({{&whole, 1}});
  run.Step({{&chunks, 150}});
  run.Step({{&chunks, 150}});
  EXPECT_TRUE(whole.boundary == chunks.boundary);
}

TEST_F(CudaDenseStageTest, TheLogReplaysTheSameBits) {
  const DenseSequence first(40, 4);
  const std::vector<Bf16> expected = Alone(first);
  const int size = config_.hidden_size;
  DenseStageRun run(config_, source_);
  DenseSequence sequence = first, other(20, 5);
  run.Step({{&other, 20}, {&sequence, 33}});
  // Some are replayed and some computed, beside another sequence.
  DenseStep step;
  ASSERT_TRUE(run.stage->blocks().Extend(sequence.blocks, BlocksFor(40)));
  step.slices = {{&other.blocks, 3, 5, 5}, {&sequence.blocks, 10, 30, 23}};
  step.tokens.assign(first.tokens.begin() + 33, first.tokens.end());
  const std::vector<Bf16> mixed = run.Forward(std::move(step));
  ASSERT_EQ(mixed.size(), 35u * size);
  EXPECT_TRUE(std::equal(mixed.begin(), mixed.begin() + 5 * size,
                         other.boundary.begin() + 3 * size));
  EXPECT_TRUE(std::equal(mixed.begin() + 5 * size, mixed.end(),
                         expected.begin() + 10 * size));
  // All are replayed.
  DenseStep replay;
  replay.slices = {{&sequence.blocks, 0, 40, 40}};
  EXPECT_TRUE(run.Forward(std::move(replay)) == expected);
}

TEST_F(CudaDenseStageTest, BlocksWithOtherContentDoNotMatter) {
  const DenseSequence first(40, 1);
  const std::vector<Bf16> expected = Alone(first);
  DenseStageRun run(config_, source_);
  // Every block has been used, at other positions.
  std::vector<DenseSequence> others;
  while (run.stage->blocks().available() >= 4) {
    others.emplace_back(64, 10 + static_cast<int>(others.size()));
    run.Step({{&others.back(), 64}});
    if (others.size() == 3) break;
  }
  for (DenseSequence& other : others) run.stage->blocks().Release(other.blocks);
  DenseSequence again = first;
  run.Step({{&again, 25}});
  run.Step({{&again, 15}});
  EXPECT_TRUE(again.boundary == expected);
}

TEST_F(CudaDenseStageTest, StepsInFlightCompleteInOrder) {
  const DenseSequence first(40, 1), second(20, 2);
  const std::vector<Bf16> expected = Alone(first), other = Alone(second);
  const int size = config_.hidden_size;
  DenseStageRun run(config_, source_);
  DenseSequence a = first, b = second;
  std::vector<std::pair<int, std::vector<Bf16>>> results;
  const auto keep = [&](int step) {
    return [&results, step](Rows rows) {
      results.emplace_back(step, ReadRows(rows));
    };
  };
  run.Start({{&a, 30}}, keep(0));
  run.Start({{&b, 20}}, keep(1));
  // The blocks of `b` go to `a`, although its step has not completed.
  run.stage->blocks().Release(b.blocks);
  run.Start({{&a, 10}}, keep(2));
  EXPECT_TRUE(results.empty());
  for (int i = 0; i < 3; ++i) run.queue.RunOne();
  ASSERT_EQ(results.size(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(results[i].first, i);
  EXPECT_TRUE(std::equal(results[0].second.begin(), results[0].second.end(),
                         expected.begin()));
  EXPECT_TRUE(results[1].second == other);
  EXPECT_TRUE(std::equal(results[2].second.begin(), results[2].second.end(),
                         expected.begin() + 30 * size));
}

TEST_F(CudaDenseStageTest, RowsOutliveTheStage) {
  DenseSequence sequence(10, 1);
  const std::vector<Bf16> expected = Alone(sequence);
  Rows kept;
  DenseStageRun run(config_, source_);
  run.Start({{&sequence, 10}}, [&](Rows rows) { kept = std::move(rows); });
  run.queue.RunOne();
  // Later steps do not write to rows that are in use.
  for (int i = 0; i < 8; ++i) {
    DenseSequence other(10, 2);
    run.Step({{&other, 10}});
  }
  run.stage.reset();
  EXPECT_TRUE(ReadRows(kept) == expected);
}

TEST_F(CudaDenseStageTest, LoadRefusesWhatItCannotServe) {
  ThreadPool pool(1);
  const auto load = [&](const WeightSource& source, const CacheOptions& cache) {
    StageDeviceOptions options;
    options.max_rows = 8;
    return CudaDenseStage::Load(config_, source, cache, pool,
                                std::move(options), nullptr)
        .status();
  };
  const CacheOptions cache = {1 << 20, CacheType::kBf16};
  cuda::ExpectOk(load(source_, cache));
  EXPECT_EQ(load(source_, {1 << 20, CacheType::kFloat32}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(load(source_, {100, CacheType::kBf16}).code(),
            absl::StatusCode::kResourceExhausted);
  const RandomWeights float32(config_, WeightFormat::kF32);
  EXPECT_EQ(load(float32, cache).code(), absl::StatusCode::kInvalidArgument);
  const absl::Status status =
      load(source_, {std::int64_t{1} << 42, CacheType::kBf16});
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  for (const char* const word : {"the weights", "the cache", "steps", "free"}) {
    EXPECT_NE(std::string(status.message()).find(word), std::string::npos)
        << status;
  }
}

}  // namespace
}  // namespace apollo

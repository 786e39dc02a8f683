#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "common/thread_pool.h"
#include "engine/cpu/cpu_expert_stage.h"
#include "engine/cuda/cuda_expert_stage.h"
#include "engine/cuda/event_queue.h"
#include "engine/cuda/random_model.h"
#include "kernels/cuda/testing.h"
#include "kernels/half.h"

// Runs steps through expert stages, for tests.
namespace apollo {

inline constexpr std::int64_t kTestCacheBytes = 1 << 20;

inline std::set<int> ExpertsOf(const ModelConfig& config) {
  std::set<int> all;
  for (int e = 0; e < config.num_experts; ++e) all.insert(e);
  return all;
}

// Returns rows of bf16 numbers, as float32 in host memory.
inline Rows BoundaryRows(int seed, int rows, int hidden) {
  std::mt19937 random(static_cast<unsigned>(seed));
  std::normal_distribution<float> normal;
  Rows boundary = Rows::Host(rows, hidden);
  for (float& x : boundary.host()) {
    x = F32FromBf16Bits(Bf16BitsFromF32(normal(random)));
  }
  return boundary;
}

// A sequence on its way through an expert stage.
struct TestSequence {
  Rows boundary;  // Of all of its rows.
  int family = -1;
  bool hybrid = false;
  int next = 0;  // The next row.
  BlockTable blocks = {};
  // The log-probability of a token after each row, which depends on all of its
  // numbers, and the use of experts.
  std::vector<float> logprobs = {};
  std::vector<std::uint32_t> use = {};
  std::vector<std::uint32_t> off_family = {};
  std::vector<SampledToken> sampled = {};
};

inline TestSequence MakeSequence(int seed, int rows, int family = -1) {
  return {BoundaryRows(seed, rows, RandomModelConfig().hidden_size), family,
          family >= 0};
}

// The token whose log-probability is asked for after a row.
inline std::int32_t TargetAfter(int row) { return (row * 37 + 11) % 131; }

class CudaExpertStageTest : public cuda::GpuTest {
 protected:
  // Some rows of a sequence.
  struct Part {
    TestSequence* sequence;
    int rows;
  };
  struct LayerResult {
    std::vector<AbsentRows> absent;
    std::vector<Rows> outputs;
  };

  std::unique_ptr<CudaExpertStage> Load(const std::set<int>& experts,
                                        int max_rows = 64) {
    StageDeviceOptions options;
    options.max_rows = max_rows;
    options.on_failure = [](const absl::Status& status) {
      ADD_FAILURE() << status;
    };
    auto stage = CudaExpertStage::Load(config_, *weights_, experts,
                                       {kTestCacheBytes, CacheType::kBf16},
                                       pool_, std::move(options), nullptr);
    EXPECT_TRUE(stage.ok()) << stage.status();
    (*stage)->SetPost(events_.post());
    return *std::move(stage);
  }
  std::unique_ptr<CudaExpertStage> LoadAll(int max_rows = 64) {
    return Load(ExpertsOf(config_), max_rows);
  }
  std::unique_ptr<CpuExpertStage> LoadCpu() {
    auto stage = CpuExpertStage::Load(config_, *weights_, ExpertsOf(config_),
                                      {kTestCacheBytes, CacheType::kBf16},
                                      pool_, nullptr);
    EXPECT_TRUE(stage.ok()) << stage.status();
    return *std::move(stage);
  }

  // Waits for events, and runs them.
  void RunUntil(const bool& done) {
    while (!done) events_.RunOne();
  }

  // Changes the model; before stages are loaded.
  void UseModel(const ModelConfig& config,
                WeightFormat format = WeightFormat::kBF16) {
    config_ = config;
    weights_ = std::make_unique<RandomWeights>(config, format);
  }

  std::unique_ptr<ExpertStep> Begin(ExpertStage& stage,
                                    const std::vector<Part>& parts) {
    std::vector<ExpertSlice> slices;
    for (const auto& [sequence, rows] : parts) {
      EXPECT_TRUE(stage.blocks().Extend(sequence->blocks,
                                        BlocksFor(sequence->next + rows)));
      slices.push_back({&sequence->blocks, sequence->next, sequence->family,
                        sequence->hybrid,
                        sequence->boundary.Slice(sequence->next, rows)});
    }
    return stage.Begin(std::move(slices));
  }

  LayerResult RunLayer(ExpertStage& stage, ExpertStep& step, int layer,
                       std::vector<GuestRows> guests = {}) {
    LayerResult result;
    bool done = false;
    stage.RunLayer(
        step, layer, std::move(guests),
        [&](std::vector<AbsentRows> absent) {
          EXPECT_FALSE(done || absent.empty());
          result.absent = std::move(absent);
        },
        [&](std::vector<Rows> outputs) {
          result.outputs = std::move(outputs);
          done = true;
        });
    RunUntil(done);
    return result;
  }
  std::vector<Rows> RunExperts(ExpertStage& stage, int layer,
                               std::vector<GuestRows> guests) {
    std::vector<Rows> outputs;
    bool done = false;
    stage.RunExperts(layer, std::move(guests), [&](std::vector<Rows> rows) {
      outputs = std::move(rows);
      done = true;
    });
    RunUntil(done);
    return outputs;
  }
  void Resume(ExpertStage& stage, ExpertStep& step,
              std::vector<std::optional<Rows>> outputs) {
    bool done = false;
    stage.Resume(step, std::move(outputs), [&] { done = true; });
    RunUntil(done);
  }
  std::vector<SliceOutcome> Finish(ExpertStage& stage, ExpertStep& step,
                                   std::vector<TokenRequest> requests) {
    std::vector<SliceOutcome> outcomes;
    bool done = false;
    stage.Finish(step, std::move(requests), [&](std::vector<SliceOutcome> o) {
      outcomes = std::move(o);
      done = true;
    });
    RunUntil(done);
    return outcomes;
  }

  // Computes absent rows on another stage.
  std::vector<std::optional<Rows>> ComputeAbsent(ExpertStage& stage, int layer,
                                                 std::vector<AbsentRows> rows) {
    std::vector<GuestRows> guests;
    for (AbsentRows& absent : rows) {
      guests.push_back({absent.expert, std::move(absent.rows)});
    }
    std::vector<std::optional<Rows>> outputs;
    for (Rows& output : RunExperts(stage, layer, std::move(guests))) {
      outputs.push_back(std::move(output));
    }
    return outputs;
  }

  // Runs rows through all layers and the head, with log-probabilities for every
  // row. `peer` computes absent rows. `sampling`: also samples after the last
  // row of each part.
  void Run(ExpertStage& stage, const std::vector<Part>& parts,
           ExpertStage* peer = nullptr,
           const std::optional<SamplingOptions>& sampling = {}) {
    const auto step = Begin(stage, parts);
    for (int l = config_.boundary; l < config_.num_layers; ++l) {
      LayerResult result = RunLayer(stage, *step, l);
      if (result.absent.empty()) continue;
      ASSERT_NE(peer, nullptr);
      Resume(stage, *step, ComputeAbsent(*peer, l, std::move(result.absent)));
    }
    Record(parts, Finish(stage, *step, Requests(parts, sampling)));
  }

  std::vector<TokenRequest> Requests(
      const std::vector<Part>& parts,
      const std::optional<SamplingOptions>& sampling = {}) {
    targets_.clear();
    std::vector<TokenRequest> requests;
    for (const auto& [sequence, rows] : parts) {
      std::vector<std::int32_t>& targets = targets_.emplace_back();
      for (int r = 0; r < rows; ++r) {
        targets.push_back(TargetAfter(sequence->next + r));
      }
    }
    for (std::size_t i = 0; i < parts.size(); ++i) {
      TokenRequest& request = requests.emplace_back();
      request.slice = static_cast<int>(i);
      request.score_targets = targets_[i];
      if (!sampling) continue;
      request.sample = true;
      request.sampling = *sampling;
      request.top_logprobs = 3;
      request.generated = &generated_;
      request.position =
          static_cast<std::uint64_t>(parts[i].sequence->next + parts[i].rows);
    }
    return requests;
  }

  // Appends the results of a step to its sequences.
  void Record(const std::vector<Part>& parts,
              const std::vector<SliceOutcome>& outcomes) {
    ASSERT_EQ(outcomes.size(), parts.size());
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const SliceOutcome& outcome = outcomes[i];
      TestSequence& sequence = *parts[i].sequence;
      EXPECT_TRUE(outcome.finite);
      EXPECT_EQ(outcome.layers, config_.num_sparse_layers());
      ASSERT_EQ(static_cast<int>(outcome.score_logprobs.size()), parts[i].rows);
      sequence.logprobs.insert(sequence.logprobs.end(),
                               outcome.score_logprobs.begin(),
                               outcome.score_logprobs.end());
      AddTo(sequence.use, outcome.expert_use);
      AddTo(sequence.off_family, outcome.off_family);
      if (outcome.sampled) sequence.sampled.push_back(*outcome.sampled);
      sequence.next += parts[i].rows;
    }
  }
  static void AddTo(std::vector<std::uint32_t>& sums,
                    const std::vector<std::uint32_t>& counts) {
    sums.resize(counts.size());
    for (std::size_t i = 0; i < counts.size(); ++i) sums[i] += counts[i];
  }

  // Expects the same bits.
  static void ExpectSame(const TestSequence& actual,
                         const TestSequence& expected) {
    EXPECT_EQ(actual.logprobs, expected.logprobs);
    EXPECT_EQ(actual.use, expected.use);
    EXPECT_EQ(actual.off_family, expected.off_family);
  }

  // Returns the numbers of rows in the memory of the device.
  static std::vector<float> Numbers(const Rows& rows) {
    std::vector<std::byte> bytes(rows.bytes());
    cuda::ExpectOk(
        cuda::CopyToHost(bytes.data(), rows.data(), bytes.size(), nullptr));
    cuda::ExpectOk(
        cuda::CudaStatus(cudaStreamSynchronize(nullptr), "reading rows"));
    std::vector<float> numbers(rows.numbers());
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      if (rows.type() == RowType::kF32) {
        numbers[i] = reinterpret_cast<const float*>(bytes.data())[i];
      } else {
        numbers[i] = F32FromBf16Bits(
            reinterpret_cast<const std::uint16_t*>(bytes.data())[i]);
      }
    }
    return numbers;
  }
  // Copies float32 rows of the host to the device, as float32 or bf16.
  static Rows OnDevice(const Rows& rows, RowType type) {
    cuda::RowPool pool = *cuda::RowPool::Create(
        {Device::Kind::kCuda, 0}, rows.numbers() * BytesOf(type), 1);
    Rows copy = *pool.Take(rows.rows(), rows.width(), type);
    std::vector<std::uint16_t> bits;
    for (const float x : rows.host()) bits.push_back(Bf16BitsFromF32(x));
    const void* const from = type == RowType::kF32
                                 ? rows.data()
                                 : static_cast<const void*>(bits.data());
    cuda::ExpectOk(
        cuda::CopyToDevice(copy.data(), from, copy.bytes(), nullptr));
    cuda::ExpectOk(
        cuda::CudaStatus(cudaStreamSynchronize(nullptr), "writing rows"));
    return copy;
  }

  ModelConfig config_ = RandomModelConfig();
  std::unique_ptr<RandomWeights> weights_ =
      std::make_unique<RandomWeights>(config_);
  ThreadPool pool_{2};
  EventQueue events_;
  TokenCounts generated_;

 private:
  std::vector<std::vector<std::int32_t>> targets_;  // Of the last requests.
};

}  // namespace apollo

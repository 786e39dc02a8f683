#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/thread_pool.h"
#include "engine/cpu/cpu_dense_stage.h"
#include "engine/cpu/cpu_expert_stage.h"
#include "model/config/expert_list.h"
#include "model/weights/open_model.h"

// Both stages of a tiny checkpoint, without workers and links, for tests.
namespace apollo {

inline constexpr std::int64_t kCacheBytes = 4 << 20;

inline OpenModel OpenGolden(const std::string& name) {
  auto model = OpenModelDirectory("tests/golden/" + name);
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

inline std::set<int> AllExperts(const ModelConfig& config) {
  return *ParseExperts("all", config.num_experts);
}

// A sequence that runs through both stages.
struct Sequence {
  std::vector<std::int32_t> tokens;
  int pinned = -1;
  int next = 0;
  BlockTable dense, expert;
  std::vector<float> logits;                         // [next, vocab]
  std::map<int, std::vector<ExpertChoice>> choices;  // Layer -> [next, k]
};

inline Sequence Make(int length, int seed, int pinned = -1) {
  Sequence sequence;
  for (int i = 0; i < length; ++i) {
    sequence.tokens.push_back((i * 37 + seed * 101 + i * i * 5) % 256);
  }
  sequence.pinned = pinned;
  return sequence;
}

class Stages {
 public:
  Stages(const OpenModel& model, int threads,
         CacheType type = CacheType::kFloat32)
      : pool_(threads) {
    dense = *CpuDenseStage::Load(model.config, *model.weights,
                                 {kCacheBytes, type}, pool_, nullptr);
    expert = *CpuExpertStage::Load(model.config, *model.weights,
                                   AllExperts(model.config),
                                   {kCacheBytes, type}, pool_, nullptr);
  }

  // Runs the next rows of each sequence.
  void Step(const std::vector<std::pair<Sequence*, int>>& parts) {
    DenseStep step;
    for (auto [sequence, rows] : parts) {
      EXPECT_TRUE(dense->blocks().Extend(sequence->dense,
                                         BlocksFor(sequence->next + rows)));
      step.slices.push_back({&sequence->dense, sequence->next, rows, 0});
      const auto first = sequence->tokens.begin() + sequence->next;
      step.tokens.insert(step.tokens.end(), first, first + rows);
    }
    dense->Forward(std::move(step),
                   [&](Rows boundary) { Finish(parts, boundary); });
  }

  // Runs the sparse half on boundary activations.
  void Finish(const std::vector<std::pair<Sequence*, int>>& parts,
              const Rows& boundary) {
    const ModelConfig& config = expert->config();
    std::vector<ExpertSlice> slices;
    int first = 0;
    for (auto [sequence, rows] : parts) {
      EXPECT_TRUE(expert->blocks().Extend(sequence->expert,
                                          BlocksFor(sequence->next + rows)));
      slices.push_back({&sequence->expert, sequence->next, sequence->pinned,
                        sequence->pinned >= 0, boundary.Slice(first, rows)});
      first += rows;
    }
    const std::unique_ptr<ExpertStep> step = expert->Begin(std::move(slices));
    for (int layer = config.boundary; layer < config.num_layers; ++layer) {
      expert->RunLayer(
          *step, layer, {},
          [](std::vector<AbsentRows>) { ADD_FAILURE() << "an absent expert"; },
          [](std::vector<Rows>) {});
      auto choice = expert->Choices(*step).begin();
      for (auto [sequence, rows] : parts) {
        const auto end = choice + rows * config.experts_per_token;
        std::vector<ExpertChoice>& to = sequence->choices[layer];
        to.insert(to.end(), choice, end);
        choice = end;
      }
    }
    std::vector<int> rows(boundary.rows());
    std::iota(rows.begin(), rows.end(), 0);
    std::vector<float> logits(rows.size() * config.vocab_size);
    expert->Logits(*step, rows, logits.data());
    auto from = logits.begin();
    for (auto [sequence, count] : parts) {
      sequence->logits.insert(sequence->logits.end(), from,
                              from + count * config.vocab_size);
      from += count * config.vocab_size;
      sequence->next += count;
    }
  }

  // Releases the sequence's cache blocks.
  void Release(Sequence& sequence) {
    dense->blocks().Release(sequence.dense);
    expert->blocks().Release(sequence.expert);
  }

  std::unique_ptr<CpuDenseStage> dense;
  std::unique_ptr<CpuExpertStage> expert;

 private:
  ThreadPool pool_;
};

}  // namespace apollo

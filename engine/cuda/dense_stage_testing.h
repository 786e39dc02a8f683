#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "common/thread_pool.h"
#include "engine/cuda/cuda_dense_stage.h"
#include "engine/cuda/event_queue.h"
#include "kernels/cuda/testing.h"
#include "model/weights/weight_source.h"

// Sequences on a dense stage, for tests.
namespace apollo {

struct DenseSequence {
  explicit DenseSequence(int length, int seed = 1) {
    for (int i = 0; i < length; ++i) {
      tokens.push_back((i * 37 + seed * 101 + i * i * 5) % 131);
    }
  }

  std::vector<std::int32_t> tokens;
  BlockTable blocks;
  int next = 0;                      // Position of the next row.
  std::vector<cuda::Bf16> boundary;  // [next, hidden]
};

// Reads bf16 rows in device memory, whose work has completed.
inline std::vector<cuda::Bf16> ReadRows(const Rows& rows) {
  EXPECT_EQ(rows.type(), RowType::kBf16);
  EXPECT_EQ(rows.device().kind, Device::Kind::kCuda);
  std::vector<cuda::Bf16> numbers(rows.numbers());
  cuda::ExpectOk(
      cuda::CopyToHost(numbers.data(), rows.data(), rows.bytes(), nullptr));
  cuda::ExpectOk(cuda::CudaStatus(cudaStreamSynchronize(nullptr), "reading"));
  return numbers;
}

// A stage and its engine thread, which is that of the test.
class DenseStageRun {
 public:
  DenseStageRun(const ModelConfig& config, const WeightSource& source,
                std::int64_t cache_bytes = 1 << 20, int max_rows = 64) {
    StageDeviceOptions options;
    options.max_rows = max_rows;
    options.on_failure = [](const absl::Status& status) {
      ADD_FAILURE() << status;
    };
    ThreadPool pool(1);
    auto loaded =
        CudaDenseStage::Load(config, source, {cache_bytes, CacheType::kBf16},
                             pool, std::move(options), nullptr);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    stage = *std::move(loaded);
    stage->SetPost(queue.post());
  }

  // Starts a step of the next rows of each sequence.
  void Start(const std::vector<std::pair<DenseSequence*, int>>& parts,
             DenseStage::Done done) {
    DenseStep step;
    for (const auto& [sequence, rows] : parts) {
      EXPECT_TRUE(stage->blocks().Extend(sequence->blocks,
                                         BlocksFor(sequence->next + rows)));
      step.slices.push_back({&sequence->blocks, sequence->next, rows, 0});
      const auto first = sequence->tokens.begin() + sequence->next;
      step.tokens.insert(step.tokens.end(), first, first + rows);
      sequence->next += rows;
    }
    stage->Forward(std::move(step), std::move(done));
  }

  // Runs such a step, and adds the results to the sequences.
  void Step(const std::vector<std::pair<DenseSequence*, int>>& parts) {
    Start(parts, [&](Rows rows) {
      const std::vector<cuda::Bf16> numbers = ReadRows(rows);
      auto from = numbers.begin();
      for (const auto& [sequence, count] : parts) {
        const auto end = from + count * rows.width();
        sequence->boundary.insert(sequence->boundary.end(), from, end);
        from = end;
      }
      EXPECT_TRUE(from == numbers.end());
    });
    queue.RunOne();
  }

  // Runs a step and returns its rows.
  std::vector<cuda::Bf16> Forward(DenseStep step) {
    std::vector<cuda::Bf16> numbers;
    stage->Forward(std::move(step),
                   [&](Rows rows) { numbers = ReadRows(rows); });
    queue.RunOne();
    return numbers;
  }

  EventQueue queue;
  std::unique_ptr<CudaDenseStage> stage;
};

}  // namespace apollo

#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/thread_pool.h"
#include "engine/cpu/cpu_dense_stage.h"
#include "engine/cpu/cpu_expert_stage.h"
#include "model/weights/open_model.h"

namespace apollo {

// Both stages of a model in one process, without workers, links and scheduler:
// what the arithmetic alone costs and gives. One thread.
class Runner {
 public:
  struct Sequence {
    int length = 0;  // Tokens so far.
    BlockTable dense, expert;
  };
  // Rows of one sequence in a step.
  struct Part {
    Sequence* sequence;
    std::span<const std::int32_t> tokens;
    bool all_logits = false;  // Of every row, not of the last only.
  };

  // `model` must outlive the runner. Caches as large as cache_megabytes each,
  // of the type that servers use by default.
  static absl::StatusOr<std::unique_ptr<Runner>> Create(const OpenModel& model,
                                                        int threads,
                                                        int cache_megabytes);

  // Runs one step. The logits [rows asked for, vocab] are valid until the next.
  // RESOURCE_EXHAUSTED if a cache is too small for the sequences.
  absl::StatusOr<std::span<const float>> Step(const std::vector<Part>& parts);

  void Release(Sequence& sequence);
  int vocab() const { return dense_->config().vocab_size; }

 private:
  Runner(int threads, int cache_megabytes)
      : pool_(threads), cache_megabytes_(cache_megabytes) {}

  ThreadPool pool_;
  const int cache_megabytes_;
  std::unique_ptr<CpuDenseStage> dense_;
  std::unique_ptr<CpuExpertStage> expert_;
  std::vector<float> logits_;
};

}  // namespace apollo

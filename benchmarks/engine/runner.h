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
// the cost and the results of the arithmetic alone. Single-threaded.
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
    bool all_logits = false;  // Of every row, not only the last.
  };

  // Creates a runner. `model` must outlive it. Each cache has cache_megabytes
  // and the default type.
  static absl::StatusOr<std::unique_ptr<Runner>> Create(const OpenModel& model,
                                                        int threads,
                                                        int cache_megabytes);

  // Runs one step. The logits [requested rows, vocab] are valid until the next
  // step. Returns RESOURCE_EXHAUSTED if a cache is too small for the sequences.
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

#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <span>

#include "engine/cuda/device_weights.h"
#include "engine/cuda/stage_device.h"
#include "engine/cuda/token_questions.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/sampling.h"
#include "model/config/model_config.h"

namespace apollo::cuda {

// The end of an expert stage: the final norm, the output head, and sampling and
// scoring on the logits. Logits are computed for some rows at a time, so their
// memory has a bound. Called by one thread.
class CudaHead {
 public:
  // Returns the limits of pieces for steps of up to `max_rows` rows: enough
  // rows that the head's weights are rarely read more than once per step of
  // decoding.
  static TokenQuestions::Limits LimitsFor(const ModelConfig& config,
                                          int max_rows);

  // Returns the bytes of the memory below, without weights.
  static std::size_t Bytes(const ModelConfig& config,
                           const TokenQuestions::Limits& limits);
  // `config` must outlive the head.
  static absl::StatusOr<CudaHead> Create(const ModelConfig& config,
                                         DeviceHead weights,
                                         const TokenQuestions::Limits& limits);

  const TokenQuestions::Limits& limits() const { return limits_; }

  // Enqueues the answers to questions about rows of residual [rows, hidden].
  // The questions must keep the limits. results: [questions.size()] in
  // page-locked host memory, complete when the stream has passed the work.
  absl::Status Ask(const TokenQuestions& questions, const float* residual,
                   SampleResult* results, StageDevice& device) const;

 private:
  // Device memory of a piece.
  struct Arrays {
    std::int32_t* rows = nullptr;       // [limits.rows]
    SampleRequest* requests = nullptr;  // [limits.rows]
    Adjustment* adjustments = nullptr;  // [limits.adjustments]
    Bf16* normed = nullptr;             // [limits.rows, hidden]
    float* logits = nullptr;            // [limits.rows, vocab]
  };

  CudaHead(const ModelConfig& config, DeviceHead weights,
           const TokenQuestions::Limits& limits, DeviceBuffer memory);
  absl::Status AskPiece(const TokenQuestions& questions,
                        const TokenQuestions::Piece& piece,
                        const float* residual, SampleResult* results,
                        StageDevice& device) const;

  const ModelConfig* config_;
  DeviceHead weights_;
  TokenQuestions::Limits limits_;
  DeviceBuffer memory_;
  Arrays arrays_;
};

}  // namespace apollo::cuda

#pragma once

#include <absl/status/status.h>
#include <cuda_runtime_api.h>

#include <cstdint>
#include <limits>

#include "kernels/cuda/types.h"

namespace apollo::cuda {

inline constexpr int kMaxAlternatives = 20;

// The question about one row of logits, in device memory.
struct SampleRequest {
  // At least 0: the log-probability of this token and `alternatives` are
  // wanted, and the other fields are ignored. -1: a token is sampled.
  std::int32_t target = -1;
  std::int32_t top_k = 0;  // 0: all.
  float temperature = 0;   // 0: greedy.
  float top_p = 1;
  // In [0, 1): chooses the token. The engine's generator depends only on seed
  // and position, so the host draws it when it prepares the step.
  double uniform = 0;
  // Tokens are kept whose logit minus the largest is at least this: see
  // MinPMargin of the engine.
  double min_p_margin = -std::numeric_limits<double>::infinity();
  float presence_penalty = 0;
  float frequency_penalty = 0;
  // Tokens [first_adjustment, first_adjustment + adjustments) of the list of
  // adjustments.
  std::int32_t first_adjustment = 0;
  std::int32_t adjustments = 0;
  std::int32_t alternatives = 0;  // At most kMaxAlternatives.
  std::int32_t reserved = 0;
};

// A change of a token's logit: a bias, and penalties if it was generated
// before. The tokens of a request are distinct.
struct Adjustment {
  std::int32_t token = 0;
  std::int32_t count = 0;  // Times it was generated.
  float bias = 0;
  float logit = 0;  // Scratch of the kernel: the logit before the adjustment.
};

struct SampleResult {
  std::int32_t token = -1;
  // Under the model's own distribution: temperature 1, no adjustments. NaN if a
  // logit is not finite; there is no token then.
  float logprob = 0;
  // The most probable tokens in falling order, ties by token; `alternatives` of
  // them, or fewer with a smaller vocabulary.
  std::int32_t count = 0;
  std::int32_t tokens[kMaxAlternatives] = {};
  float logprobs[kMaxAlternatives] = {};
};

// Samples as engine/sampler.h defines: bias, penalties, temperature, min-p,
// top-k and top-p in that order, ties by token. Exponentials are float32 and
// their sums float64 in a fixed order, so the result of a row depends only on
// its logits and its request.
struct Sample {
  float* logits = nullptr;  // [rows, vocab]; adjustments change them.
  int rows = 0;
  int vocab = 0;
  const SampleRequest* requests = nullptr;  // [rows]
  Adjustment* adjustments = nullptr;
  SampleResult* results = nullptr;  // [rows]; also page-locked host memory.
};
absl::Status Run(const Sample& sample, cudaStream_t stream);

// Returns INVALID_ARGUMENT, with the number, unless 1 <= vocab <= 2^24.
absl::Status CheckVocabulary(int vocab);

}  // namespace apollo::cuda

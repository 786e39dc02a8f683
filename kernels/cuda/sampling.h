#pragma once

#include <absl/status/status.h>
#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/cuda/types.h"

namespace apollo::cuda {

inline constexpr int kMaxAlternatives = 20;

// The question about one row of logits, in device memory.
struct SampleRequest {
  // At least 0: the log-probability of this token is wanted, and the fields
  // below are ignored. -1: a token is sampled.
  std::int32_t target = -1;
  std::int32_t top_k = 0;  // 0: all.
  float temperature = 0;   // 0: greedy.
  float top_p = 1;
  // In [0, 1): chooses the token. The engine's generator depends only on seed
  // and position, so the host draws it when it prepares the step.
  double uniform = 0;
  float presence_penalty = 0;
  float frequency_penalty = 0;
  // Tokens [first_penalty, first_penalty + penalties) of the list of penalties.
  std::int32_t first_penalty = 0;
  std::int32_t penalties = 0;
  std::int32_t alternatives = 0;  // At most kMaxAlternatives.
  std::int32_t reserved = 0;
};

// A token generated before. The tokens of a request are distinct.
struct Penalty {
  std::int32_t token = 0;
  std::int32_t count = 0;
  float logit = 0;  // Scratch of the kernel: the logit before the penalty.
};

struct SampleResult {
  std::int32_t token = -1;
  // Under the model's own distribution: temperature 1, no penalties. NaN if a
  // logit is not finite; there is no token then.
  float logprob = 0;
  // The most probable tokens in falling order, ties by token; `alternatives` of
  // them, or fewer with a smaller vocabulary.
  std::int32_t count = 0;
  std::int32_t tokens[kMaxAlternatives] = {};
  float logprobs[kMaxAlternatives] = {};
};

// Samples as engine/sampler.h defines: penalties, temperature, top-k and top-p
// in that order, ties by token. Exponentials are float32 and their sums float64
// in a fixed order, so the result of a row depends only on its logits and its
// request.
struct Sample {
  float* logits = nullptr;  // [rows, vocab]; penalties change them.
  int rows = 0;
  int vocab = 0;
  const SampleRequest* requests = nullptr;  // [rows]
  Penalty* penalties = nullptr;
  SampleResult* results = nullptr;  // [rows]; also page-locked host memory.
};
absl::Status Run(const Sample& sample, cudaStream_t stream);

// Returns INVALID_ARGUMENT, with the number, unless 1 <= vocab <= 2^24.
absl::Status CheckVocabulary(int vocab);

}  // namespace apollo::cuda

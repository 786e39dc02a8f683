#include <absl/strings/str_cat.h>

#include "common/check.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/sampling.h"
#include "kernels/cuda/token_search.cuh"

namespace apollo::cuda {
namespace {

constexpr int kMaxVocabulary = 1 << 24;

// Returns this thread's largest key below `bound`, or 0.
__device__ unsigned long long ThreadBest(const TokenRow& row,
                                         unsigned long long bound) {
  unsigned long long best = 0;
#pragma unroll 8
  for (int i = static_cast<int>(threadIdx.x); i < row.vocab;
       i += kSampleThreads) {
    const unsigned long long key = row.Key(i);
    if (key < bound && key > best) best = key;
  }
  return best;
}

__device__ bool AllFinite(const TokenRow& row) {
  float sum = 0;  // Stays zero, or becomes NaN for good.
  for (int i = static_cast<int>(threadIdx.x); i < row.vocab;
       i += kSampleThreads) {
    sum += row.logits[i] - row.logits[i];
  }
  return BlockTotal(sum) == 0.0f;
}

// Returns log(sum(exp(logits))).
__device__ float LogSum(const TokenRow& row) {
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < row.vocab;
       i += kSampleThreads) {
    sum += expf(row.logits[i] - row.top);
  }
  return row.top + static_cast<float>(log(BlockTotal(sum)));
}

// Writes the most probable tokens. `mine` is the thread's largest key; only the
// thread whose key was taken looks for its next one.
__device__ void FindAlternatives(const TokenRow& row, int wanted, float log_sum,
                                 SampleResult* result) {
  unsigned long long mine = ThreadBest(row, ~0ull);
  const int count = min(min(wanted, kMaxAlternatives), row.vocab);
  for (int j = 0; j < count; ++j) {
    const unsigned long long best = BlockMax(mine);
    if (mine == best) {  // Keys are distinct.
      const int token = TokenOf(best);
      result->tokens[j] = token;
      result->logprobs[j] = row.logits[token] - log_sum;
      mine = ThreadBest(row, best);
    }
  }
  if (threadIdx.x == 0) result->count = count;
}

__device__ void Adjust(const SampleRequest& request, Adjustment* adjustments,
                       float* logits) {
  for (int i = static_cast<int>(threadIdx.x); i < request.adjustments;
       i += kSampleThreads) {
    Adjustment& adjustment = adjustments[request.first_adjustment + i];
    const float logit = logits[adjustment.token];
    adjustment.logit = logit;
    // Adding 0 could change the sign of a zero.
    const float biased =
        adjustment.bias != 0 ? __fadd_rn(logit, adjustment.bias) : logit;
    const float amount =
        __fadd_rn(request.presence_penalty,
                  __fmul_rn(request.frequency_penalty,
                            static_cast<float>(adjustment.count)));
    logits[adjustment.token] =
        adjustment.count > 0 ? __fsub_rn(biased, amount) : biased;
  }
  __syncthreads();
}

// Writes the token and its log-probability, from the logit before adjustments.
__device__ void WriteToken(const SampleRequest& request,
                           const Adjustment* adjustments, const float* logits,
                           int token, float log_sum, SampleResult* result) {
  if (threadIdx.x == 0) {
    result->token = token;
    result->logprob = logits[token] - log_sum;
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < request.adjustments;
       i += kSampleThreads) {
    const Adjustment& adjustment = adjustments[request.first_adjustment + i];
    if (adjustment.token == token) result->logprob = adjustment.logit - log_sum;
  }
}

// Draws from the min-p / top-k / top-p set: the tokens up to `cut`, in falling
// order.
__device__ int Draw(const TokenRow& row, const SampleRequest& request,
                    unsigned long long best) {
  unsigned long long least = ~0ull;
  for (int i = static_cast<int>(threadIdx.x); i < row.vocab;
       i += kSampleThreads) {
    const double difference = static_cast<double>(row.logits[i]) - row.top;
    if (difference < request.min_p_margin) continue;
    const unsigned long long key = row.Key(i);
    if (key < least) least = key;
  }
  unsigned long long cut = BlockMin(least);
  if (request.top_k > 0 && request.top_k < row.vocab) {
    const auto wanted = static_cast<unsigned>(request.top_k);
    cut = Search(row, cut, best,
                 [=](const Tally& tally) { return tally.count >= wanted; });
  }
  double all = TallyFrom(row, cut).weight;
  if (request.top_p < 1) {
    const double wanted = static_cast<double>(request.top_p) * all;
    cut = Search(row, cut, best,
                 [=](const Tally& tally) { return tally.weight >= wanted; });
    all = TallyFrom(row, cut).weight;
  }
  const double wanted = request.uniform * all;
  return TokenOf(Search(row, cut, best, [=](const Tally& tally) {
    return tally.weight > wanted;
  }));
}

// One block per row.
__global__ void __launch_bounds__(kSampleThreads)
    SampleKernel(const Sample sample) {
  const int r = static_cast<int>(blockIdx.x);
  float* const logits =
      sample.logits + static_cast<std::size_t>(r) * sample.vocab;
  const SampleRequest request = sample.requests[r];
  SampleResult* const result = &sample.results[r];
  TokenRow row = {logits, sample.vocab, 0, 1};
  if (!AllFinite(row)) {
    if (threadIdx.x == 0) {
      result->token = -1;
      result->logprob = NAN;
      result->count = 0;
    }
    return;
  }
  unsigned long long best = BlockMax(ThreadBest(row, ~0ull));
  row.top = logits[TokenOf(best)];
  const float log_sum = LogSum(row);
  if (request.alternatives > 0) {
    FindAlternatives(row, request.alternatives, log_sum, result);
  } else if (threadIdx.x == 0) {
    result->count = 0;
  }
  if (request.target >= 0) {
    if (threadIdx.x == 0) {
      result->token = request.target;
      result->logprob = logits[request.target] - log_sum;
    }
    return;
  }
  __syncthreads();
  if (request.adjustments > 0) {
    Adjust(request, sample.adjustments, logits);
    best = BlockMax(ThreadBest(row, ~0ull));
  }
  int token = TokenOf(best);
  if (request.temperature > 0) {
    row.top = logits[token];
    row.temperature = request.temperature;
    token = Draw(row, request, best);
  }
  WriteToken(request, sample.adjustments, logits, token, log_sum, result);
}

}  // namespace

absl::Status CheckVocabulary(int vocab) {
  if (vocab >= 1 && vocab <= kMaxVocabulary) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the vocabulary has ", vocab,
                   " tokens; on GPUs it must have from 1 to ", kMaxVocabulary));
}

absl::Status Run(const Sample& sample, cudaStream_t stream) {
  APOLLO_CHECK(CheckVocabulary(sample.vocab).ok());
  if (sample.rows == 0) return absl::OkStatus();
  return Launch("sampling", SampleKernel, sample.rows, kSampleThreads, 0,
                stream, sample);
}

}  // namespace apollo::cuda

#include <absl/strings/str_cat.h>

#include <cmath>

#include "common/check.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/experts.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/simt.cuh"

namespace apollo::cuda {
namespace {

constexpr int kMaxExperts = 1024;
constexpr int kMaxChoices = 32;
constexpr int kThreads = 256;
constexpr int kGroupThreads = 1024;

// Returns the part of the dot product that a lane sums: inputs 8 * lane + i of
// every 256.
__device__ __forceinline__ float LanePart(const Bf16* x, const float* w,
                                          int size, int first, int step) {
  float sum = 0;
  for (int i = first; i < size; i += step) {
    const uint4 v = *reinterpret_cast<const uint4*>(x + i);
    const float4 a = __ldg(reinterpret_cast<const float4*>(w + i));
    const float4 b = __ldg(reinterpret_cast<const float4*>(w + i) + 1);
    sum = __fmaf_rn(LowBf16(v.x), a.x, sum);
    sum = __fmaf_rn(HighBf16(v.x), a.y, sum);
    sum = __fmaf_rn(LowBf16(v.y), a.z, sum);
    sum = __fmaf_rn(HighBf16(v.y), a.w, sum);
    sum = __fmaf_rn(LowBf16(v.z), b.x, sum);
    sum = __fmaf_rn(HighBf16(v.z), b.y, sum);
    sum = __fmaf_rn(LowBf16(v.w), b.z, sum);
    sum = __fmaf_rn(HighBf16(v.w), b.w, sum);
  }
  return sum;
}

// Replaces the logits by probabilities. Called by one warp.
__device__ void Softmax(float* p, int experts, int lane) {
  float top = -INFINITY;
  for (int e = lane; e < experts; e += 32) top = fmaxf(top, p[e]);
#pragma unroll
  for (int i = 16; i > 0; i /= 2) {
    top = fmaxf(top, __shfl_xor_sync(~0u, top, i));
  }
  float sum = 0;
  for (int e = lane; e < experts; e += 32) {
    p[e] = expf(p[e] - top);
    sum += p[e];
  }
  sum = WarpSum(sum);
  for (int e = lane; e < experts; e += 32) p[e] /= sum;
  __syncwarp();
}

// Returns the expert of the largest probability among those not taken, the
// lowest of equal ones. NaN counts as less than 0, so that there always is one.
__device__ int Best(const float* p, const bool* taken, int experts, int lane) {
  float best = -INFINITY;
  int expert = kMaxExperts;
  for (int e = lane; e < experts; e += 32) {
    const float value = isnan(p[e]) ? -1.0f : p[e];
    if (!taken[e] && value > best) {
      best = value;
      expert = e;
    }
  }
#pragma unroll
  for (int i = 16; i > 0; i /= 2) {
    const float other = __shfl_xor_sync(~0u, best, i);
    const int other_expert = __shfl_xor_sync(~0u, expert, i);
    if (other > best || (other == best && other_expert < expert)) {
      best = other;
      expert = other_expert;
    }
  }
  return expert;
}

// One block per row: a warp computes the logit of an expert at a time, then the
// first warp chooses.
__global__ void __launch_bounds__(kThreads) GateKernel(const Gate gate) {
  __shared__ float p[kMaxExperts];
  __shared__ bool taken[kMaxExperts];
  __shared__ int chosen[kMaxChoices];
  const std::size_t r = blockIdx.x;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int experts = gate.options.experts;
  const int k = gate.options.top_k;
  for (int e = warp; e < experts; e += kThreads / 32) {
    const float logit =
        WarpSum(LanePart(gate.x + r * gate.hidden,
                         gate.gate + static_cast<std::size_t>(e) * gate.hidden,
                         gate.hidden, lane * 8, 256));
    if (lane == 0) {
      p[e] = logit;
      taken[e] = false;
    }
  }
  __syncthreads();
  if (warp != 0) return;
  Softmax(p, experts, lane);
  const int pinned = gate.pinned != nullptr ? gate.pinned[r] : -1;
  bool replaces = pinned >= 0;
  for (int j = 0; j < k; ++j) {
    const int expert = Best(p, taken, experts, lane);
    replaces = replaces && expert != pinned;
    if (lane == 0) {
      taken[expert] = true;
      chosen[j] = expert;
    }
    __syncwarp();
  }
  if (lane != 0) return;
  if (replaces) chosen[k - 1] = pinned;
  float sum = 0;
  for (int j = 0; j < k; ++j) sum += p[chosen[j]];
  const bool divide = gate.options.normalize && sum > 0;
  for (int j = 0; j < k; ++j) {
    gate.experts[r * k + j] = chosen[j];
    gate.weights[r * k + j] = divide ? p[chosen[j]] / sum : p[chosen[j]];
  }
  gate.replaced[r] = replaces ? 1 : 0;
}

// Returns true if the assignment belongs to the expert.
__device__ __forceinline__ bool Belongs(const GroupByExpert& group, int c,
                                        int expert) {
  return c < group.assignments && group.experts[c] == expert &&
         !(group.dropped != nullptr && c < group.choices &&
           group.dropped[c / group.top_k] != 0);
}

// One block. A warp counts, and later places, the assignments of an expert at a
// time, in their order.
__global__ void __launch_bounds__(kGroupThreads)
    GroupKernel(const GroupByExpert group) {
  __shared__ int first[kMaxExperts + 1];
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  for (int e = warp; e < group.num_experts; e += kGroupThreads / 32) {
    int count = 0;
    for (int c = lane; c < group.assignments; c += 32) {
      count += Belongs(group, c, e) ? 1 : 0;
    }
#pragma unroll
    for (int i = 16; i > 0; i /= 2) count += __shfl_xor_sync(~0u, count, i);
    if (lane == 0) first[e] = count;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    int sum = 0;
    for (int e = 0; e < group.num_experts; ++e) {
      const int count = first[e];
      first[e] = sum;
      group.offsets[e] = sum;
      sum += count;
    }
    group.offsets[group.num_experts] = sum;
  }
  __syncthreads();
  const int rows = group.choices / group.top_k;
  for (int e = warp; e < group.num_experts; e += kGroupThreads / 32) {
    int at = first[e];
    for (int begin = 0; begin < group.assignments; begin += 32) {
      const int c = begin + lane;
      const bool own = Belongs(group, c, e);
      const unsigned mask = __ballot_sync(~0u, own);
      if (own) {
        const int p = at + __popc(mask & ((1u << lane) - 1));
        group.source[p] =
            c < group.choices ? c / group.top_k : rows + c - group.choices;
        group.target[p] = c;
      }
      at += __popc(mask);
    }
  }
}

// One block per row.
__global__ void __launch_bounds__(kThreads)
    CombineKernel(const CombineExperts combine) {
  const std::size_t r = blockIdx.x;
  const int size = combine.hidden;
  float gate = 0;
  if (combine.shared != nullptr) {
    const float logit = BlockSum<kThreads>(
        LanePart(combine.x + r * size, combine.shared_gate, size,
                 static_cast<int>(threadIdx.x) * 8, kThreads * 8));
    gate = 1.0f / (1.0f + expf(-logit));
  }
  for (int i = static_cast<int>(threadIdx.x) * 4; i < size; i += kThreads * 4) {
    float4 sum = {0, 0, 0, 0};
    const auto add = [&sum](float scale, const float* row) {
      const float4 v = *reinterpret_cast<const float4*>(row);
      sum.x = __fmaf_rn(scale, v.x, sum.x);
      sum.y = __fmaf_rn(scale, v.y, sum.y);
      sum.z = __fmaf_rn(scale, v.z, sum.z);
      sum.w = __fmaf_rn(scale, v.w, sum.w);
    };
    for (int j = 0; j < combine.top_k; ++j) {
      const std::size_t c = r * combine.top_k + j;
      add(combine.weights[c], combine.outputs + c * size + i);
    }
    if (combine.shared != nullptr) {
      add(gate, combine.shared + r * size + i);
    }
    auto* const to = reinterpret_cast<float4*>(combine.residual + r * size + i);
    const float4 old = *to;
    *to =
        make_float4(old.x + sum.x, old.y + sum.y, old.z + sum.z, old.w + sum.w);
  }
}

}  // namespace

absl::Status CheckGate(const GateOptions& options) {
  if (options.experts >= 1 && options.experts <= kMaxExperts &&
      options.top_k >= 1 && options.top_k <= options.experts &&
      options.top_k <= kMaxChoices) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      options.top_k, " of ", options.experts, " experts per token; on GPUs ",
      "there must be at most ", kMaxExperts, " experts and from 1 to ",
      kMaxChoices, " of them per token"));
}

absl::Status Run(const Gate& gate, cudaStream_t stream) {
  APOLLO_CHECK(CheckGate(gate.options).ok() && gate.hidden % 8 == 0);
  if (gate.rows == 0) return absl::OkStatus();
  return Launch("the gate", GateKernel, gate.rows, kThreads, 0, stream, gate);
}

absl::Status Run(const GroupByExpert& group, cudaStream_t stream) {
  APOLLO_CHECK(group.num_experts >= 1 && group.num_experts <= kMaxExperts);
  APOLLO_CHECK(group.choices <= group.assignments && group.top_k >= 1);
  return Launch("grouping rows by expert", GroupKernel, 1, kGroupThreads, 0,
                stream, group);
}

absl::Status Run(const CombineExperts& combine, cudaStream_t stream) {
  APOLLO_CHECK(combine.hidden % 8 == 0);
  if (combine.rows == 0) return absl::OkStatus();
  return Launch("combining experts", CombineKernel, combine.rows, kThreads, 0,
                stream, combine);
}

}  // namespace apollo::cuda

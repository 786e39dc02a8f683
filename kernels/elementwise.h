#pragma once

#include "common/thread_pool.h"

namespace apollo {

// Root-mean-square normalisation (Zhang and Sennrich, 2019), row by row:
//   out[r][i] = weight[i] * x[r][i] / sqrt(mean(x[r]^2) + eps)
// x, out: [rows, size], contiguous; out may be x. weight: [size].
void RmsNorm(const float* x, int rows, int size, const float* weight, float eps,
             float* out, ThreadPool& pool);

// The same in the calling thread alone, for the heads of a row.
void RmsNorm(const float* x, int rows, int size, const float* weight, float eps,
             float* out);

// The gated activation of a SwiGLU MLP, row by row:
//   out[r][i] = silu(gate_up[r][i]) * gate_up[r][size + i],
//   silu(z) = z / (1 + exp(-z))
// gate_up: [rows, 2 * size]; out: [rows, size]; contiguous, not overlapping.
void SiluMul(const float* gate_up, int rows, int size, float* out,
             ThreadPool& pool);

// y[i] += scale * x[i] for i < size.
void AddScaled(const float* x, float scale, int size, float* y);

// 1 / (1 + exp(-z)).
float Sigmoid(float z);

}  // namespace apollo

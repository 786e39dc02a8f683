#pragma once

#include <absl/status/status.h>
#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/cuda/types.h"

// Operations on rows. `size` must be a multiple of 8.
namespace apollo::cuda {

// Returns INVALID_ARGUMENT, with the number, if rows of this size are refused.
absl::Status CheckRowSize(int size);

// out[r] = table[tokens[r]], widened to float32.
// table: [vocab, size]; tokens: [rows], each below vocab; out: [rows, size]
absl::Status Embed(const Bf16* table, const std::int32_t* tokens, int rows,
                   int size, float* out, cudaStream_t stream);

// out[r] = bf16(weight * x[s] / sqrt(mean(x[s]^2) + eps)), where s = source[r],
// or r if source is null.
// x: [*, size]; source: [rows]; weight: [size]; out: [rows, size]
absl::Status RmsNorm(const float* x, const std::int32_t* source, int rows,
                     int size, const float* weight, float eps, Bf16* out,
                     cudaStream_t stream);

// x[r] += bias. x: [rows, size]; bias: [size]
absl::Status AddBias(const float* bias, int rows, int size, float* x,
                     cudaStream_t stream);

// out[r] = x[source[r]] and out[target[r]] = x[r].
absl::Status GatherRows(const Bf16* x, const std::int32_t* source, int rows,
                        int size, Bf16* out, cudaStream_t stream);
absl::Status GatherRows(const float* x, const std::int32_t* source, int rows,
                        int size, float* out, cudaStream_t stream);
absl::Status ScatterRows(const float* x, const std::int32_t* target, int rows,
                         int size, float* out, cudaStream_t stream);

// out[target[r]] = bf16(x[r]), rounded to nearest even. x: [rows, size]
absl::Status RoundRows(const float* x, const std::int32_t* target, int rows,
                       int size, Bf16* out, cudaStream_t stream);

// Conversions of `count` numbers, a multiple of 8; to bf16 to nearest even.
absl::Status Widen(const Bf16* x, std::int64_t count, float* out,
                   cudaStream_t stream);
absl::Status Round(const float* x, std::int64_t count, Bf16* out,
                   cudaStream_t stream);

}  // namespace apollo::cuda

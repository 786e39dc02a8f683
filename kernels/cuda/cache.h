#pragma once

#include <absl/status/status.h>
#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/host_device.h"
#include "kernels/cuda/types.h"

namespace apollo::cuda {

struct HeadShape {
  int heads = 0;
  int kv_heads = 0;  // Divides heads; at most 65535.
  int head_size = 0;

  APOLLO_HOST_DEVICE int group() const { return heads / kv_heads; }
  APOLLO_HOST_DEVICE int q_size() const { return heads * head_size; }
  APOLLO_HOST_DEVICE int kv_size() const { return kv_heads * head_size; }
  APOLLO_HOST_DEVICE int qkv_size() const { return q_size() + 2 * kv_size(); }
  // Numbers of a block's keys (or values): [kv_heads][16 tokens, head_size] in
  // the order of cache_index.h.
  APOLLO_HOST_DEVICE std::size_t block_numbers() const {
    return std::size_t{16} * static_cast<std::size_t>(kv_size());
  }
};

// Returns INVALID_ARGUMENT, with the number and the valid ones, unless
// head_size is 32, 64, 96 or 128 and kv_heads divides heads.
absl::Status CheckHeadShape(const HeadShape& shape);

// The paged cache of one layer: block b has its keys at keys + b * stride and
// its values at values + b * stride, each block_numbers() long.
struct CacheLayer {
  Bf16* keys = nullptr;
  Bf16* values = nullptr;
  std::size_t stride = 0;  // In numbers, a multiple of 8.
};

// The numbers of a rotation (kernels/rope.h) in device memory.
struct RotaryFrequencies {
  const float* inverse = nullptr;  // [head_size / 2]
  float scale = 1;
};

// Computes the rotary angles of rows, which all layers share: the cosines of
// positions[r] * inverse[j], then the sines, both times the scale.
// positions: [rows]; angles: [rows, head_size]
absl::Status RotaryAngles(const std::int32_t* positions, int rows,
                          const RotaryFrequencies& frequencies, int head_size,
                          float* angles, cudaStream_t stream);

// Weights of the norms of each head of queries and keys, [head_size] each. Both
// are null if there are no norms.
struct HeadNorms {
  const float* q = nullptr;
  const float* k = nullptr;
  float eps = 0;
};

// Adds the bias to rows of queries, keys and values, normalises each head of
// queries and keys (x * weight / sqrt(mean(x^2) + eps)), rotates them
// (kernels/rope.h), rounds all to bf16, and stores keys and values in the
// cache. qkv: [rows, qkv_size]; bias: [qkv_size] or null; angles: [rows,
// head_size]; slots: [rows]: block * 16 + position % 16; q: [rows, q_size]
absl::Status RotateAndStore(const HeadShape& shape, const float* qkv,
                            const float* bias, const HeadNorms& norms,
                            const float* angles, const std::int32_t* slots,
                            int rows, const CacheLayer& cache, Bf16* q,
                            cudaStream_t stream);

}  // namespace apollo::cuda

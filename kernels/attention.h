#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/thread_pool.h"

namespace apollo {

// Tokens per block of a paged key/value cache.
inline constexpr int kBlockTokens = 16;

// Storage type of keys and values. Arithmetic is always in float32; the 16-bit
// types (rounded to nearest even) halve the memory traffic.
// - f16 keeps 11 significant bits and saturates at 65504.
// - bf16 keeps 8 significant bits and the full range.
enum class CacheType { kFloat32, kBf16, kF16 };

struct AttentionShape {
  int heads = 0;
  // Divides heads; query head h reads kv head h / (heads / kv_heads).
  int kv_heads = 0;
  int head_size = 0;
  CacheType cache_type = CacheType::kFloat32;

  int kv_size() const { return kv_heads * head_size; }
  // Returns the bytes of one block's keys (or values).
  std::size_t block_bytes() const {
    return static_cast<std::size_t>(kBlockTokens) * kv_size() *
           (cache_type == CacheType::kFloat32 ? sizeof(float)
                                              : sizeof(std::uint16_t));
  }
};

// The location of the keys and values for one query row. Position p of the
// sequence is in block p / kBlockTokens, slot p % kBlockTokens.
struct AttentionRow {
  // [blocks] pointers to each block's keys, laid out [kv_heads, head_size,
  // kBlockTokens], and values, laid out [kv_heads, kBlockTokens, head_size], in
  // the shape's cache_type.
  const void* const* keys = nullptr;
  const void* const* values = nullptr;
  int position = 0;  // The row attends to positions 0..position.
};

// Stores the key and value of one token (each [kv_heads, head_size]) in its
// slot.
void StoreKeyValue(const AttentionShape& shape, const float* key,
                   const float* value, int slot, void* block_keys,
                   void* block_values);

// Causal attention with scale 1/sqrt(head_size):
//   out[r][h] = softmax(q[r][h] . K / sqrt(head_size)) V
// q, out: [rows, heads * head_size], with row strides of q_stride and
// out_stride floats. The result of a row depends only on its query and its keys
// and values, in the order of positions; not on other rows or on threads.
void Attention(const AttentionShape& shape, std::span<const AttentionRow> rows,
               const float* q, int q_stride, float* out, int out_stride,
               ThreadPool& pool);

}  // namespace apollo

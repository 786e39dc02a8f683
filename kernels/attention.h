#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/thread_pool.h"

namespace apollo {

// Tokens in one block of a paged key/value cache.
inline constexpr int kBlockTokens = 16;

// How keys and values are stored. All arithmetic is in float32; both kinds of
// 16 bits (rounded to nearest even) halve what is read. f16 keeps 11
// significant bits and numbers up to 65504, to which larger ones are cut; bf16
// keeps 8 and all numbers.
enum class CacheType { kFloat32, kBf16, kF16 };

struct AttentionShape {
  int heads = 0;
  int kv_heads =
      0;  // Divides heads; query head h reads kv head h / (heads / kv_heads).
  int head_size = 0;
  CacheType cache_type = CacheType::kFloat32;

  int kv_size() const { return kv_heads * head_size; }
  // Bytes of one block's keys (or values).
  std::size_t block_bytes() const {
    return static_cast<std::size_t>(kBlockTokens) * kv_size() *
           (cache_type == CacheType::kFloat32 ? sizeof(float)
                                              : sizeof(std::uint16_t));
  }
};

// One query row: where its sequence's keys and values lie. Position p of the
// sequence is in block p / kBlockTokens, slot p % kBlockTokens.
struct AttentionRow {
  // [blocks] pointers to a block's keys, laid out [kv_heads, head_size,
  // kBlockTokens], and values, laid out [kv_heads, kBlockTokens, head_size], in
  // the shape's cache_type.
  const void* const* keys = nullptr;
  const void* const* values = nullptr;
  int position = 0;  // The row attends to positions 0..position.
};

// Puts one token's key and value (each [kv_heads, head_size]) into its slot.
void StoreKeyValue(const AttentionShape& shape, const float* key,
                   const float* value, int slot, void* block_keys,
                   void* block_values);

// Causal attention with scale 1/sqrt(head_size):
//   out[r][h] = softmax(q[r][h] . K / sqrt(head_size)) V
// q, out: [rows, heads * head_size], q_stride and out_stride floats apart. A
// row's result depends only on its query and its keys and values, in the order
// of positions; not on the other rows or on threads.
void Attention(const AttentionShape& shape, std::span<const AttentionRow> rows,
               const float* q, int q_stride, float* out, int out_stride,
               ThreadPool& pool);

}  // namespace apollo

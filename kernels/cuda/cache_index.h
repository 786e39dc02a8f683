#pragma once

#include "kernels/cuda/host_device.h"

// The layout of a kv head's keys and values in a block of 16 tokens: the order
// in which the lanes of a warp use them as operand B of mma.m16n8k16. A lane
// loads 16 bytes at once, and a warp 512 adjacent bytes.
//
// Keys:   [2 tiles of 8 tokens][head_size / 32][32 lanes][8 elements]
//   A tile's column n holds the token of the block that makes lane 4g + t hold,
//   after the product with the queries, the scores of tokens 4t to 4t + 3: they
//   are its operand A of the product with the values, without any exchange.
// Values: [head_size / 16][32 lanes][2 elements, 8 apart][4 tokens]
namespace apollo::cuda {

inline constexpr int kCacheTokens = 16;

// Returns the token within its block of column n of a tile of scores.
APOLLO_HOST_DEVICE constexpr int TokenOfColumn(int tile, int n) {
  return n / 2 * 4 + tile * 2 + n % 2;
}

// Returns the index of a number among the keys (or values) of a kv head in a
// block. token: within the block; element: below head_size.
APOLLO_HOST_DEVICE constexpr int KeyIndex(int token, int element,
                                          int head_size) {
  const int tile = token % 4 / 2;
  const int n = token / 4 * 2 + token % 2;
  const int lane = n * 4 + element % 32 / 8;
  return ((tile * (head_size / 32) + element / 32) * 32 + lane) * 8 +
         element % 8;
}
APOLLO_HOST_DEVICE constexpr int ValueIndex(int token, int element) {
  const int lane = element % 8 * 4 + token / 4;
  return ((element / 16 * 32 + lane) * 2 + element % 16 / 8) * 4 + token % 4;
}

}  // namespace apollo::cuda

#pragma once

#include <cstdint>

#include "kernels/cuda/host_device.h"

// The order of the sums of a product, and the division of its rows.
namespace apollo::cuda {

// Slices of the inputs, each summed by itself.
inline constexpr int kSlices = 8;

// Returns the first group of inputs of a slice; slice kSlices is the end. A
// slice may be empty.
APOLLO_HOST_DEVICE constexpr int SliceBegin(int slice, int groups) {
  return static_cast<int>(static_cast<std::int64_t>(slice) * groups / kSlices);
}

// Returns the first group after the slice of `group`.
APOLLO_HOST_DEVICE constexpr int SliceEnd(int group, int groups) {
  int slice = 1;
  while (SliceBegin(slice, groups) <= group) ++slice;
  return SliceBegin(slice, groups);
}

// Adjacent rows of one expert.
struct RowTile {
  int expert = -1;  // -1: no such tile.
  int first = 0;    // Position of the first row.
  int rows = 0;
};

// Returns tile `tile` of the rows, divided for each expert into tiles of
// `tile_rows` rows, the last of each expert possibly smaller.
// offsets: [experts + 1]
APOLLO_HOST_DEVICE constexpr RowTile FindRowTile(const std::int32_t* offsets,
                                                 int experts, int tile_rows,
                                                 int tile) {
  for (int e = 0; e < experts; ++e) {
    const int rows = offsets[e + 1] - offsets[e];
    const int tiles = (rows + tile_rows - 1) / tile_rows;
    if (tile < tiles) {
      const int first = tile * tile_rows;
      const int left = rows - first;
      return {e, offsets[e] + first, left < tile_rows ? left : tile_rows};
    }
    tile -= tiles;
  }
  return {};
}

// Returns a bound of the number of tiles, for any offsets.
constexpr int MaxRowTiles(int max_rows, int experts, int tile_rows) {
  const int bound = max_rows / tile_rows + experts;
  return bound < max_rows ? bound : max_rows;
}

}  // namespace apollo::cuda

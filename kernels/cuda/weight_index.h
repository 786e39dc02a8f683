#pragma once

#include <cstddef>

#include "kernels/cuda/host_device.h"

// The layout of packed weights: [tiles of 16 outputs][groups of 32 inputs] of
// blocks. A block holds the fragments of two mma.m16n8k16 (the weights are its
// operand A), in the order of the lanes, so that a lane loads 16 bytes at once
// (8 in int4) and a warp 512 adjacent bytes (256).
//
// The sum over inputs may pair them with the k of the instruction in any order,
// as long as both operands agree. Lane 4g + t (g < 8, t < 4) takes the inputs
// 8t to 8t + 7 of the group: the first four for the first instruction. The
// other operand, activations in rows, can then be loaded 16 bytes at a time,
// too.
//
//   bf16  [2 instructions][32 lanes][8]            1024 bytes
//   int8  [32 lanes][2 instructions][8]             512 bytes, then
//         scales, f16 [8][2]: of outputs g and g + 8  32 bytes
//   int4  [32 lanes][2 instructions] words          256 bytes, then
//         f16 [8][4]: scales, then minima, of outputs
//         g and g + 8                                 64 bytes
//
// A lane loads 8 bytes of an int4 block: it has only 16 numbers of a group, and
// slices of the inputs (product_index.h) may begin at any group. Shifting a
// word and masking it leaves the two numbers of a register of the fragment in
// the low bits of its halves. The two numbers of a byte are of the same output,
// so that threads can set different outputs.
namespace apollo::cuda {

inline constexpr int kTileOutputs = 16;
inline constexpr int kGroupInputs = 32;
inline constexpr int kBf16Block = 1024;
inline constexpr int kInt8Numbers = 512;
inline constexpr int kInt8Block = kInt8Numbers + 32;
inline constexpr int kInt4Numbers = 256;
inline constexpr int kInt4Block = kInt4Numbers + 64;

APOLLO_HOST_DEVICE constexpr int CountTiles(int outputs) {
  return (outputs + kTileOutputs - 1) / kTileOutputs;
}

// Returns the index of a block.
APOLLO_HOST_DEVICE constexpr std::size_t BlockIndex(int tile, int group,
                                                    int groups) {
  return static_cast<std::size_t>(tile) * groups + group;
}

// The place of a number in its block: a lane, an instruction, and an index into
// the 8 numbers of the lane's fragment.
struct FragmentPlace {
  int lane;
  int instruction;
  int index;
};

// row: output within the tile; input: within the group.
APOLLO_HOST_DEVICE constexpr FragmentPlace PlaceOf(int row, int input) {
  const int j = input % 4;
  // The fragment holds (g, j = 0, 1), (g + 8, 0, 1), (g, 2, 3), (g + 8, 2, 3).
  return {row % 8 * 4 + input / 8, input % 8 / 4,
          j / 2 * 4 + row / 8 * 2 + j % 2};
}

// Returns the index of a number in a bf16 block, and in an int8 block.
APOLLO_HOST_DEVICE constexpr int Bf16Index(int row, int input) {
  const FragmentPlace place = PlaceOf(row, input);
  return (place.instruction * 32 + place.lane) * 8 + place.index;
}
APOLLO_HOST_DEVICE constexpr int Int8Index(int row, int input) {
  const FragmentPlace place = PlaceOf(row, input);
  return (place.lane * 2 + place.instruction) * 8 + place.index;
}
// Returns the index of a number of 4 bits in an int4 block. Byte i holds number
// 2i in its low half and 2i + 1 in its high half.
APOLLO_HOST_DEVICE constexpr int Int4Index(int row, int input) {
  const FragmentPlace place = PlaceOf(row, input);
  return (place.lane * 2 + place.instruction) * 8 + place.index % 2 * 4 +
         row / 8 * 2 + input % 4 / 2;
}
// Returns the index of the scale of a row among the 16 scales of an int8 block.
APOLLO_HOST_DEVICE constexpr int ScaleIndex(int row) {
  return row % 8 * 2 + row / 8;
}
// Return the indices of the scale and the minimum of a row among the 32 of an
// int4 block.
APOLLO_HOST_DEVICE constexpr int Int4ScaleIndex(int row) {
  return row % 8 * 4 + row / 8;
}
APOLLO_HOST_DEVICE constexpr int Int4MinimumIndex(int row) {
  return Int4ScaleIndex(row) + 2;
}

// Returns the packed row of a row of W. In a paired matrix, a tile holds 8
// gates and their 8 ups.
APOLLO_HOST_DEVICE constexpr int PackedRow(int row, int outputs, bool paired) {
  if (!paired) return row;
  const int half = outputs / 2;
  const int j = row % half;
  return j / 8 * 16 + (row < half ? 0 : 8) + j % 8;
}

}  // namespace apollo::cuda

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/attention.h"

namespace apollo {

// How the rows of one cache block, or some of them, used the experts. What the
// rows of a sequence used is the sum over its blocks, so one that shares a
// block adds what was counted when the block was computed. Plain data.
struct BlockUse {
  std::vector<std::uint8_t> by_expert;   // [sparse layers, experts]
  std::vector<std::uint8_t> off_family;  // [sparse layers]; see SliceOutcome.

  // Adds that of other rows of the block.
  void Add(const BlockUse& other) {
    AddTo(by_expert, other.by_expert);
    AddTo(off_family, other.off_family);
  }
  bool operator==(const BlockUse&) const = default;

 private:
  static void AddTo(std::vector<std::uint8_t>& sums,
                    const std::vector<std::uint8_t>& numbers) {
    if (sums.size() < numbers.size()) sums.resize(numbers.size());
    for (std::size_t i = 0; i < numbers.size(); ++i) sums[i] += numbers[i];
  }
};

// A row uses an expert at most once.
static_assert(kBlockTokens <= UINT8_MAX);

// Returns the blocks, with no use yet, of consecutive rows of a sequence.
inline std::vector<BlockUse> UnusedBlocks(int first_position, int rows,
                                          std::size_t layers,
                                          std::size_t experts) {
  const int blocks = (first_position + rows - 1) / kBlockTokens -
                     first_position / kBlockTokens + 1;
  const BlockUse none = {std::vector<std::uint8_t>(layers * experts),
                         std::vector<std::uint8_t>(layers)};
  return std::vector<BlockUse>(blocks, none);
}

}  // namespace apollo

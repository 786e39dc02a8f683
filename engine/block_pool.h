#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace apollo {

using BlockId = std::int32_t;

// The blocks of one sequence, in the order of its positions.
using BlockTable = std::vector<BlockId>;

// Hands out the blocks of a fixed-size paged cache and counts who uses them.
// Knows nothing of what a block holds. One thread.
class BlockPool {
 public:
  explicit BlockPool(int blocks);

  // A block with one reference, or nothing when all are in use.
  std::optional<BlockId> Allocate();

  // Makes `table` hold at least `blocks` blocks. False, with nothing changed,
  // when there are not enough.
  bool Extend(BlockTable& table, int blocks);

  // One more user of a block that is in use.
  void AddReference(BlockId block);

  // One user less; the block is free when none is left.
  void Release(BlockId block);

  // Releases every block of the table and empties it.
  void Release(BlockTable& table);

  int total() const { return static_cast<int>(references_.size()); }
  int available() const { return static_cast<int>(free_.size()); }

 private:
  std::vector<int> references_;  // Per block.
  std::vector<BlockId> free_;    // Taken from the back.
};

}  // namespace apollo

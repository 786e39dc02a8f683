#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <vector>

namespace apollo {

using BlockId = std::int32_t;

// The cache blocks of one sequence, in the order of its positions.
using BlockTable = std::vector<BlockId>;

// Allocates the blocks of a fixed-size paged cache and counts their references.
// Independent of the content of the blocks. Single-threaded.
//
// A block whose content may be reused can be *kept*: when its last reference is
// released, it becomes idle instead of free, and can be referenced again. Idle
// blocks are allocated only when no block is free, least recently idle first.
class BlockPool {
 public:
  explicit BlockPool(int blocks);

  // Registers a callback that receives each kept block just before it is
  // allocated for other content. The block is no longer kept.
  void OnEviction(std::function<void(BlockId)> evicted);

  // Returns a block with one reference, or nullopt if all blocks are in use.
  std::optional<BlockId> Allocate();

  // Grows `table` to at least `blocks` blocks. Returns false and changes
  // nothing if too few are available.
  bool Extend(BlockTable& table, int blocks);

  // Adds a reference to a block that is in use or idle.
  void AddReference(BlockId block);

  // Drops a reference. An unreferenced block becomes idle if it is kept, else
  // free.
  void Release(BlockId block);

  // Releases every block of the table, last to first, and empties it.
  void Release(BlockTable& table);

  // Marks a block, which must be in use, as kept.
  void Keep(BlockId block);

  int references(BlockId block) const { return states_.at(block).references; }
  int total() const { return static_cast<int>(states_.size()); }
  // Blocks that can be allocated: free and idle ones.
  int available() const {
    return static_cast<int>(free_.size() + idle_.size());
  }
  int idle() const { return static_cast<int>(idle_.size()); }

 private:
  struct State {
    int references = 0;
    bool kept = false;
    std::list<BlockId>::iterator idle;  // Valid if kept and unreferenced.
  };

  std::vector<State> states_;  // Per block.
  std::vector<BlockId> free_;  // Taken from the back.
  std::list<BlockId> idle_;    // Least recently idle first.
  std::function<void(BlockId)> evicted_;
};

}  // namespace apollo

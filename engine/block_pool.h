#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <vector>

namespace apollo {

using BlockId = std::int32_t;

// The blocks of one sequence, in the order of its positions.
using BlockTable = std::vector<BlockId>;

// Hands out the blocks of a fixed-size paged cache and counts who uses them.
// Knows nothing of what a block holds. One thread.
//
// A block whose content may be wanted again can be *kept*: when its last user
// is gone it is idle instead of free, and can be taken up again. An idle block
// is handed out anew only when no block is free, the one that became idle
// first.
class BlockPool {
 public:
  explicit BlockPool(int blocks);

  // `evicted` is called with a kept block just before it is handed out for
  // other content; it is not kept any more.
  void OnEviction(std::function<void(BlockId)> evicted);

  // A block with one reference, or nothing when all are in use.
  std::optional<BlockId> Allocate();

  // Makes `table` hold at least `blocks` blocks. False, with nothing changed,
  // when there are not enough.
  bool Extend(BlockTable& table, int blocks);

  // One more user of a block that is in use or idle.
  void AddReference(BlockId block);

  // One user less; without any, the block is idle if it is kept, else free.
  void Release(BlockId block);

  // Releases every block of the table, the last first, and empties it.
  void Release(BlockTable& table);

  // From now on the block, which is in use, is kept.
  void Keep(BlockId block);

  int references(BlockId block) const { return states_.at(block).references; }
  int total() const { return static_cast<int>(states_.size()); }
  // Blocks that can be handed out: free and idle ones.
  int available() const {
    return static_cast<int>(free_.size() + idle_.size());
  }
  int idle() const { return static_cast<int>(idle_.size()); }

 private:
  struct State {
    int references = 0;
    bool kept = false;
    std::list<BlockId>::iterator idle;  // Valid if kept without references.
  };

  std::vector<State> states_;  // Per block.
  std::vector<BlockId> free_;  // Taken from the back.
  std::list<BlockId> idle_;    // The longest idle first.
  std::function<void(BlockId)> evicted_;
};

}  // namespace apollo

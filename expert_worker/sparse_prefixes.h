#pragma once

#include <absl/container/flat_hash_map.h>

#include <span>
#include <utility>

#include "engine/block_pool.h"
#include "engine/block_use.h"
#include "engine/kept_blocks.h"
#include "sequence/block_hash.h"

namespace apollo {

// Finds the cache blocks that hold what the sparse layers have computed for the
// beginnings of sequences, by the hashes that dense workers send with rows. So
// the rows of a beginning need neither travel nor be computed again. Equal
// hashes stand for equal content (sequence/block_hash.h): no tokens are
// compared, and the cache has none. engine/kept_blocks.h states how long blocks
// are kept. Single-threaded.
class SparsePrefixes {
 public:
  // The pool must outlive the object, which takes over its OnEviction.
  explicit SparsePrefixes(BlockPool& pool)
      : blocks_(pool, [this](BlockId block, const BlockHash&) {
          uses_.erase(block);
        }) {}

  // Returns the blocks that hold the longest run of blocks at the start of
  // `hashes`, which are those of a sequence from its first block on. Adds no
  // references.
  BlockTable Find(std::span<const BlockHash> hashes) const {
    BlockTable found;
    for (const BlockHash& hash : hashes) {
      const auto block = blocks_.Find(hash);
      if (!block) break;
      found.push_back(*block);
    }
    return found;
  }

  // Declares that block `index` of a sequence's table is full and has that
  // hash, and how its rows used the experts. The blocks before it must have
  // been published. If another block has the hash already, replaces the table's
  // block with that one.
  void Publish(const BlockHash& hash, BlockUse use, BlockTable& table,
               int index) {
    const BlockId block = table.at(index);
    if (blocks_.Publish(hash, table, index)) uses_[block] = std::move(use);
  }

  // How the rows of a published block used the experts.
  const BlockUse& use(BlockId block) const { return uses_.at(block); }

  // Number of published blocks.
  int size() const { return blocks_.size(); }

 private:
  absl::flat_hash_map<BlockId, BlockUse> uses_;  // Of the same blocks.
  KeptBlocks<BlockHash> blocks_;
};

}  // namespace apollo

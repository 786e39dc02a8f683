#pragma once

#include <absl/container/flat_hash_map.h>

#include <functional>
#include <optional>
#include <utility>

#include "common/check.h"
#include "engine/block_pool.h"

namespace apollo {

// The blocks of a pool that are found by a key of their content, so that
// sequences share them. Only full blocks are shared; they are immutable. The
// common part of PrefixCache and SparsePrefixes. Single-threaded.
//
// The pool keeps published blocks after their last release, until it needs them
// for other content. Who uses a block also uses all blocks before it in its
// sequence, and tables are released from the back. A block is therefore always
// forgotten before its predecessor.
template <typename Key>
class KeptBlocks {
 public:
  using Forgotten = std::function<void(BlockId, const Key&)>;

  // The pool must outlive the object, which takes over its OnEviction.
  // `forgotten` gets each block that is not kept any more, with its key.
  KeptBlocks(BlockPool& pool, Forgotten forgotten)
      : pool_(pool), forgotten_(std::move(forgotten)) {
    pool_.OnEviction([this](BlockId block) {
      const auto node = keys_.extract(block);
      APOLLO_CHECK(!node.empty());
      blocks_.erase(node.mapped());
      forgotten_(block, node.mapped());
    });
  }

  // Returns the block with that content, without a reference, or nullopt.
  std::optional<BlockId> Find(const Key& key) const {
    const auto it = blocks_.find(key);
    if (it == blocks_.end()) return std::nullopt;
    return it->second;
  }

  // Declares that block `index` of a table, which was not published, has that
  // content now, and returns true. If another block has it already, puts that
  // one into the table instead, and returns false.
  bool Publish(const Key& key, BlockTable& table, int index) {
    const BlockId block = table.at(index);
    APOLLO_CHECK(!keys_.contains(block));
    const auto [it, added] = blocks_.insert({key, block});
    if (added) {
      keys_[block] = key;
      pool_.Keep(block);
      return true;
    }
    table[index] = it->second;
    pool_.AddReference(it->second);
    pool_.Release(block);
    return false;
  }

  // The key of a published block.
  const Key& key(BlockId block) const { return keys_.at(block); }
  bool Contains(BlockId block) const { return keys_.contains(block); }
  // Number of published blocks.
  int size() const { return static_cast<int>(keys_.size()); }

 private:
  BlockPool& pool_;
  const Forgotten forgotten_;
  absl::flat_hash_map<Key, BlockId> blocks_;
  absl::flat_hash_map<BlockId, Key> keys_;  // Inverse of blocks_.
};

}  // namespace apollo

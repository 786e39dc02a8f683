#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "engine/block_pool.h"
#include "kernels/attention.h"

namespace apollo {

// Finds the cache blocks that already hold the start of a prompt, so that
// sequences share them. Only whole blocks are shared; they are never written
// again. One thread.
//
// A block is looked up by the block before it and its own tokens; the first one
// by the salt, so that tenants with different salts share nothing. The hash
// table compares these in full: no collision of hashes can find a wrong block.
//
// Published blocks are kept by the pool when their last user is gone, and
// forgotten when it needs them for something else. Whoever uses a block uses
// all blocks before it, and tables are released from the back; so a block is
// always forgotten before the one it follows.
class PrefixCache {
 public:
  // The pool must outlive the cache; its OnEviction is taken.
  explicit PrefixCache(BlockPool& pool);

  // The blocks that hold the longest run of whole blocks at the start of
  // `tokens`. No reference is taken.
  BlockTable Find(const std::string& salt,
                  std::span<const std::int32_t> tokens) const;

  // Says that block `index` of a sequence's table now holds what `tokens` give,
  // of which there are at least (index + 1) * kBlockTokens. The blocks before
  // it must be published. If another block holds the same already, the table
  // gets that one in its place.
  void Publish(const std::string& salt, std::span<const std::int32_t> tokens,
               BlockTable& table, int index);

  // Blocks that can be found.
  int size() const { return static_cast<int>(keys_.size()); }

 private:
  struct Key {
    std::int64_t parent = 0;  // A block, or below 0 the number of a salt.
    std::array<std::int32_t, kBlockTokens> tokens;
    bool operator==(const Key&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.parent, key.tokens);
    }
  };
  struct Salt {
    std::int64_t number = 0;
    int blocks = 0;  // That follow it.
  };

  static Key MakeKey(std::int64_t parent, std::span<const std::int32_t> tokens,
                     int index);
  void Forget(BlockId block);

  BlockPool& pool_;
  absl::flat_hash_map<Key, BlockId> blocks_;
  absl::flat_hash_map<BlockId, Key> keys_;  // The same, from the other side.
  absl::flat_hash_map<BlockId, int> followers_;  // Published blocks behind it.
  absl::flat_hash_map<std::string, Salt> salts_;
  absl::flat_hash_map<std::int64_t, std::string> salt_names_;
  std::int64_t last_salt_ = 0;
};

}  // namespace apollo

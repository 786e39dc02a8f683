#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/block_pool.h"
#include "engine/kept_blocks.h"
#include "kernels/attention.h"
#include "sequence/prefix_hash.h"

namespace apollo {

// Finds the cache blocks that already hold the start of a prompt, so that
// sequences share them. Only full blocks are shared; they are immutable.
// Single-threaded.
//
// The key of a block is the preceding block and its own tokens. The first block
// is keyed by the salt, so tenants with different salts share nothing. The hash
// table compares full keys, so a hash collision cannot return a wrong block.
//
// engine/kept_blocks.h states how long blocks are kept.
//
// Each block has a prefix hash (sequence/prefix_hash.h), by which routers know
// it.
class PrefixCache {
 public:
  // The pool must outlive the cache, which takes over its OnEviction.
  // `model_hash` is that of PrefixHasher.
  explicit PrefixCache(BlockPool& pool, std::string model_hash = "");

  // Returns the blocks that hold the longest run of full blocks at the start of
  // `tokens`. Adds no references.
  BlockTable Find(const std::string& salt,
                  std::span<const std::int32_t> tokens) const;

  // Declares that block `index` of a sequence's table now holds the result of
  // `tokens`, which must number at least (index + 1) * kBlockTokens. The blocks
  // before it must have been published. If another block already holds the same
  // content, replaces the table's block with that one.
  void Publish(const std::string& salt, std::span<const std::int32_t> tokens,
               BlockTable& table, int index);

  // Notes that a sequence begins to use the first `blocks` of its blocks, which
  // Find returned.
  void Use(const BlockTable& table, int blocks);

  // Returns the hashes of at most `most` blocks, those used or published last
  // first, each behind those of all blocks before it in its prompt.
  std::vector<std::uint64_t> Recent(std::size_t most) const;
  // Returns a number that grows whenever the result of Recent may change.
  std::uint64_t changes() const { return changes_; }

  // Number of published blocks.
  int size() const { return blocks_.size(); }

 private:
  struct Key {
    std::int64_t parent = 0;  // A block, or a negative salt number.
    std::array<std::int32_t, kBlockTokens> tokens;
    bool operator==(const Key&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.parent, key.tokens);
    }
  };
  struct Salt {
    std::int64_t number = 0;
    int blocks = 0;  // Published first blocks under this salt.
    std::shared_ptr<const PrefixHasher> hasher;
  };
  struct Published {
    std::uint64_t hash = 0;
    std::list<BlockId>::iterator recent;
    std::shared_ptr<const PrefixHasher> hasher;  // Of its salt.
  };

  void Touch(BlockId block);
  static Key MakeKey(std::int64_t parent, std::span<const std::int32_t> tokens,
                     int index);
  void Forget(BlockId block, const Key& key);

  const std::string model_hash_;
  KeptBlocks<Key> blocks_;
  absl::flat_hash_map<BlockId, Published> published_;  // The same blocks.
  std::list<BlockId> recent_;  // Published blocks, the last used first.
  std::uint64_t changes_ = 0;
  // Number of published successors.
  absl::flat_hash_map<BlockId, int> followers_;
  absl::flat_hash_map<std::string, Salt> salts_;
  absl::flat_hash_map<std::int64_t, std::string> salt_names_;
  std::int64_t last_salt_ = 0;
};

}  // namespace apollo

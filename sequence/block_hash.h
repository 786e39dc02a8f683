#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sequence/generation.h"

namespace apollo {

// Identifies what the sparse layers keep for the tokens of one cache block and
// for all tokens before it. 16 bytes of a SHA-256 digest: an expert worker
// relies on equal hashes for equal content, so two contents with the same hash
// must not be a realistic event, also if somebody looks for them.
struct BlockHash {
  std::array<std::uint8_t, 16> bytes = {};
  bool operator==(const BlockHash&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const BlockHash& hash) {
    return H::combine(std::move(h), hash.bytes);
  }
};

// The tokens that a block hash covers besides those of the one before: a block
// of the caches of all workers.
inline constexpr int kHashedTokens = 16;

// Hashes of the blocks of one sequence, a chain over its tokens:
//
//   root = SHA-256("apollo block", model hash, numerics id, family, salt)
//   h(i) = the first 16 bytes of SHA-256(root, h(i - 1), tokens of block i),
//          with h(-1) = 0
//
// The root has everything else on which the sparse layers' keys and values
// depend: the model; the numerics id of the dense worker that computed the
// boundary rows; with hybrid routing the family whose expert is pinned. The
// salt separates tenants. The root is part of each step, so that without the
// salt nobody can test whether a guessed text is cached.
// Single-threaded.
class BlockHashes {
 public:
  // Of a sequence without tokens so far. `numerics` is the id of the worker
  // that computes the dense layers.
  BlockHashes(const std::string& model_hash, const std::string& numerics,
              const GenerationRequest& request);

  // Returns the hashes of all whole blocks of the tokens, which are those of
  // the last call and perhaps more. Valid until the next call.
  std::span<const BlockHash> Of(std::span<const std::int32_t> tokens);

 private:
  std::string root_;
  std::vector<BlockHash> hashes_;
};

}  // namespace apollo

#pragma once

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cstddef>
#include <list>
#include <ranges>
#include <span>

#include "sequence/block_hash.h"

namespace apollo {

// The beginnings of sequences that an expert worker is believed to hold: those
// that it has computed for this dense worker, used last. A belief only: the
// worker may have evicted some, and may hold others for other dense workers. A
// sequence that begins behind blocks that are not there begins again, so a
// wrong belief costs a round trip. Single-threaded.
class HeldPrefixes {
 public:
  // The most blocks that are remembered, for a million tokens.
  static constexpr std::size_t kMost = std::size_t{1} << 16;

  // Sets the number of blocks that the worker can hold.
  void SetMost(std::size_t blocks) {
    most_ = std::min(blocks, kMost);
    Shrink();
  }

  // Returns how many blocks at the start of `hashes`, which are those of a
  // sequence from its first block on, the worker is believed to hold.
  int Count(std::span<const BlockHash> hashes) const {
    const auto unknown = std::find_if(
        hashes.begin(), hashes.end(),
        [this](const BlockHash& h) { return !blocks_.contains(h); });
    return static_cast<int>(unknown - hashes.begin());
  }

  // Notes that the worker holds consecutive blocks of a sequence, which were
  // used now. The last one is forgotten first, as by the worker.
  void Add(std::span<const BlockHash> hashes) {
    for (const BlockHash& hash : hashes | std::views::reverse) {
      const auto [it, added] = blocks_.try_emplace(hash);
      if (added) {
        recent_.push_front(hash);
        it->second = recent_.begin();
      } else {
        recent_.splice(recent_.begin(), recent_, it->second);
      }
    }
    Shrink();
  }

  // Notes that it does not hold these.
  void Remove(std::span<const BlockHash> hashes) {
    for (const BlockHash& hash : hashes) {
      const auto node = blocks_.extract(hash);
      if (!node.empty()) recent_.erase(node.mapped());
    }
  }

  std::size_t size() const { return blocks_.size(); }

 private:
  void Shrink() {
    while (blocks_.size() > most_) {
      blocks_.erase(recent_.back());
      recent_.pop_back();
    }
  }

  std::size_t most_ = kMost;
  std::list<BlockHash> recent_;  // The last used first.
  absl::flat_hash_map<BlockHash, std::list<BlockHash>::iterator> blocks_;
};

}  // namespace apollo

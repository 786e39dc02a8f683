#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/check.h"
#include "model/tokenizer/token_id.h"

namespace apollo {

// The ranks of the pairs of tokens that can be merged: a hash table with linear
// probing. An entry has 8 bytes (20 bits per token, 24 for the rank), so the
// 151,387 merges of Qwen2 take 4 MB and the hot part stays in the cache.
// Immutable once filled, therefore thread-safe.
class PairTable {
 public:
  static constexpr std::uint32_t kNone =
      (1u << 24) - 1;  // Also the rank limit.
  static constexpr TokenId kTokenLimit = 1 << 20;

  // Reserves room for `pairs` pairs.
  explicit PairTable(std::size_t pairs) {
    while ((std::size_t{1} << bits_) < 2 * pairs) ++bits_;
    slots_.assign(std::size_t{1} << bits_, kEmpty);
    filter_.assign(slots_.size() * kFilterBits / 64, 0);
  }

  // The pair must not be in the table yet.
  void Insert(TokenId left, TokenId right, std::uint32_t rank) {
    APOLLO_CHECK(left < kTokenLimit && right < kTokenLimit && rank < kNone);
    const std::uint64_t key = Key(left, right);
    const std::size_t bit = FilterBit(key);
    filter_[bit / 64] |= std::uint64_t{1} << bit % 64;
    std::size_t slot = Slot(key);
    while (slots_[slot] != kEmpty) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = key << 24 | rank;
  }

  // Returns kNone if the pair cannot be merged.
  std::uint32_t Find(TokenId left, TokenId right) const {
    const std::uint64_t key = Key(left, right);
    const std::size_t bit = FilterBit(key);
    if ((filter_[bit / 64] >> bit % 64 & 1) == 0) return kNone;
    std::size_t slot = Slot(key);
    while (true) {
      const std::uint64_t entry = slots_[slot];
      if (entry >> 24 == key) return static_cast<std::uint32_t>(entry) & kNone;
      if (entry == kEmpty) return kNone;
      slot = (slot + 1) & (slots_.size() - 1);
    }
  }

 private:
  // Its rank is kNone, so looking up a pair equal to its key also returns
  // kNone.
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};

  static std::uint64_t Key(TokenId left, TokenId right) {
    return static_cast<std::uint64_t>(left) << 20 |
           static_cast<std::uint64_t>(right);
  }
  // Fibonacci hashing: the high bits of the product with 2^64 / golden ratio.
  static std::uint64_t Hash(std::uint64_t key) {
    return key * 0x9E3779B97F4A7C15;
  }
  std::size_t Slot(std::uint64_t key) const {
    return Hash(key) >> (64 - bits_);
  }
  std::size_t FilterBit(std::uint64_t key) const {
    return Hash(key) >> (64 - bits_ - kFilterShift);
  }

  // Most lookups find nothing. A filter with one bit per hash value detects
  // that with an eighth of the table's memory.
  static constexpr int kFilterShift = 3;
  static constexpr std::size_t kFilterBits = 1 << kFilterShift;  // Per slot.

  int bits_ = 4;
  std::vector<std::uint64_t> slots_;
  std::vector<std::uint64_t> filter_;
};

}  // namespace apollo

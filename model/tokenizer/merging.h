#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "model/tokenizer/pair_table.h"
#include "model/tokenizer/tokenizer_json.h"

namespace apollo {

// Byte-pair encoding (Sennrich et al., arXiv 1508.07909) by its definition.
// Starts with one token per byte. As long as two neighbours are a pair in the
// list of merges, merges the pair that comes first in the list, leftmost
// occurrence first. Bpe computes the same faster. Immutable, therefore
// thread-safe.
class Merging {
 public:
  // Pairs must be unique. Bytes with kNoToken are removed first.
  Merging(const std::array<TokenId, 256>& byte_tokens,
          std::span<const Merge> merges);

  // Memory that calls can share to avoid allocations. One per thread.
  class Scratch;

  // Appends the tokens of `piece` in O(n log n). Returns the rank of the last
  // merge, or -1.
  std::int32_t Encode(std::string_view piece, Scratch* scratch,
                      std::vector<TokenId>* out) const;

  // Does the same for a sequence that starts with these tokens.
  std::int32_t Encode(std::span<const TokenId> tokens, Scratch* scratch,
                      std::vector<TokenId>* out) const;

  // Returns the rank of a pair in the list of merges, or PairTable::kNone.
  std::uint32_t Rank(TokenId left, TokenId right) const {
    return pairs_.Find(left, right);
  }

 private:
  // Merge a sequence of at most kShort tokens, which is overwritten, or the
  // scratch's symbols.
  std::int32_t MergeShort(TokenId* tokens, std::size_t size,
                          std::vector<TokenId>* out) const;
  std::int32_t MergeLong(Scratch* scratch, std::vector<TokenId>* out) const;

  // Up to this size, a linear scan for the best pair is faster than a heap.
  static constexpr std::size_t kShort = 64;

  std::array<TokenId, 256> byte_tokens_;
  PairTable pairs_;
  std::vector<TokenId> merged_;  // By rank.
};

class Merging::Scratch {
 public:
  // Returns the number of pairs examined in pieces above 64 bytes. For tests.
  std::uint64_t steps() const { return steps_; }

 private:
  friend class Merging;

  void Append(TokenId token);

  // A linked list of tokens, so that a merge takes constant time.
  struct Symbol {
    TokenId token;
    std::int32_t before, behind;  // Indices, or -1.
  };
  struct Candidate {
    std::uint32_t rank;
    std::int32_t left;  // Index of the left symbol.
    // The tokens of the symbols: the candidate is stale if they have changed.
    TokenId left_token, right_token;
  };
  std::vector<Symbol> symbols_;
  std::vector<Candidate> heap_;
  std::uint64_t steps_ = 0;
};

}  // namespace apollo

#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "model/tokenizer/pair_table.h"
#include "model/tokenizer/tokenizer_json.h"

namespace apollo {

// Byte-pair encoding (Sennrich et al., arXiv 1508.07909) as it is defined:
// starts with one token per byte; then, as long as any two neighbours are a
// pair of the merges, merges the pair that comes first in the list, the
// leftmost if it occurs several times. Bpe computes the same faster. Immutable,
// so safe from any thread.
class Merging {
 public:
  // Pairs must be unique; bytes with kNoToken are dropped before anything else.
  Merging(const std::array<TokenId, 256>& byte_tokens,
          std::span<const Merge> merges);

  // Memory that calls can share to save allocations. One per thread.
  class Scratch;

  // Appends the tokens of `piece`, in time O(n log n) in its length. Returns
  // the rank of the merge that was done last, or -1.
  std::int32_t Encode(std::string_view piece, Scratch* scratch,
                      std::vector<TokenId>* out) const;

  // Where in the list of merges the pair stands; PairTable::kNone if it does
  // not.
  std::uint32_t Rank(TokenId left, TokenId right) const {
    return pairs_.Find(left, right);
  }

 private:
  std::int32_t EncodeShort(std::string_view piece,
                           std::vector<TokenId>* out) const;
  std::int32_t EncodeLong(std::string_view piece, Scratch* scratch,
                          std::vector<TokenId>* out) const;

  std::array<TokenId, 256> byte_tokens_;
  PairTable pairs_;
  std::vector<TokenId> merged_;  // By rank.
};

class Merging::Scratch {
 public:
  // How many pairs of pieces above 64 bytes were looked at. For tests.
  std::uint64_t steps() const { return steps_; }

 private:
  friend class Merging;

  // A list of tokens, linked so that merging takes constant time.
  struct Symbol {
    TokenId token;
    std::int32_t before, behind;  // Indices, or -1.
  };
  struct Candidate {
    std::uint32_t rank;
    std::int32_t left;  // Index of the left symbol.
    // What the symbols were: the candidate is out of date if they changed.
    TokenId left_token, right_token;
  };
  std::vector<Symbol> symbols_;
  std::vector<Candidate> heap_;
  std::uint64_t steps_ = 0;
};

}  // namespace apollo

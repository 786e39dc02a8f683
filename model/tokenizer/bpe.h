#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer/merging.h"
#include "model/tokenizer/token_trie.h"
#include "model/tokenizer/tokenizer_json.h"

namespace apollo {

// Byte-pair encoding of single pieces. Gives the result of Merging without
// merging.
//
// Call a token *sound* if merging its own bytes gives just that token, and two
// tokens *compatible* if merging the bytes of both gives these two. A sequence
// of sound tokens, each compatible with the next, is then the only encoding of
// its bytes. Proof: as long as no merge has crossed a border of the sequence,
// the merges on both sides of a border are those of the pair alone, so a first
// crossing cannot occur. The converse holds for the same reason.
//
// Encoding is therefore a search: take the longest sound token that is
// compatible with the one before. If there is none, go back one token and take
// a shorter one there. Every prefix of the piece also has only one encoding, so
// a position that was a dead end once always is one. This keeps the search
// linear.
//
// The compatibility of two tokens follows from the merges that make each of
// them (see Compatible). This requires a list of merges in which no merge uses
// a token made by a later merge, as in every trained list. For other lists, and
// for vocabularies with huge tokens, Encode merges.
//
// Immutable, therefore thread-safe.
class Bpe {
 public:
  // `token_bytes[id]` holds the bytes of a token and must outlive this object.
  // Control tokens are never produced. The vocabulary must be byte-level.
  Bpe(const TokenizerSpec& spec, const std::vector<std::string>& token_bytes);

  // Memory that calls can share to avoid allocations. One per thread.
  class Scratch;

  // Appends the tokens of `piece`. Bytes without a token are removed first.
  void Encode(std::string_view piece, Scratch* scratch,
              std::vector<TokenId>* out) const;

  // Returns true if Encode searches, false if it merges. For tests.
  bool searches() const { return trie_.has_value(); }

 private:
  // The derivation of a sound token, and data for the search.
  struct Token {
    // The rank of the last merge and its sides; -1 for single bytes.
    std::int32_t rank = -1;
    TokenId left = kNoToken, right = kNoToken;
    std::int32_t size = 0;  // Bytes.
    // The longest sound token that is a proper prefix of this one.
    TokenId shorter = kNoToken;
  };

  void FindSoundTokens(const TokenizerSpec& spec,
                       const std::vector<std::string>& token_bytes);
  bool Compatible(TokenId a, TokenId b) const;
  bool Search(std::string_view piece, Scratch* scratch,
              std::vector<TokenId>* out) const;

  Merging merging_;
  std::vector<Token> tokens_;      // By id; size 0: not sound.
  std::optional<TokenTrie> trie_;  // The sound tokens.
  // With ignore_merges: the tokens that are not sound.
  absl::flat_hash_map<std::string_view, TokenId> whole_;
};

class Bpe::Scratch {
 public:
  // Returns the number of tokens tried so far in all calls, or of pairs
  // examined where they merged: a measure of the running time. For tests.
  std::uint64_t steps() const { return steps_ + merging_.steps(); }

 private:
  friend class Bpe;
  std::uint64_t steps_ = 0;
  Merging::Scratch merging_;
  std::vector<bool> dead_;  // By position in the piece.
};

}  // namespace apollo

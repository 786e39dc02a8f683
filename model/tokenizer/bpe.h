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

// Byte-pair encoding of single pieces: what Merging computes, but without
// merging.
//
// Call a token *sound* if merging its own bytes gives just that token, and two
// tokens *compatible* if merging the bytes of both gives these two. Then a
// sequence of sound tokens, each compatible with the next, is the encoding of
// its bytes, and the only one: as long as no merge has crossed one of the
// sequence's borders, what happens between two of them is what happens in that
// pair alone, so no first crossing can come about. (The converse holds for the
// same reason.) So encoding is a search: take the longest sound token that is
// compatible with the one before; where there is none, go back one token and
// take a shorter one there. As every prefix of the piece has only one encoding
// too, a place that was a dead end once always is one, which keeps the search
// linear.
//
// Whether two tokens are compatible follows from how each of them is made (see
// Compatible). That takes a list of merges in which no merge uses a token that
// a later merge makes: true for every trained list. For others, and for
// vocabularies with huge tokens, Encode merges.
//
// Immutable, so safe from any thread.
class Bpe {
 public:
  // `token_bytes[id]` is what a token stands for; it must outlive this. Special
  // tokens never come out.
  Bpe(const TokenizerSpec& spec, const std::vector<std::string>& token_bytes);

  // Memory that calls can share to save allocations. One per thread.
  class Scratch;

  // Appends the tokens of `piece`. Bytes that have no token are dropped, before
  // anything else.
  void Encode(std::string_view piece, Scratch* scratch,
              std::vector<TokenId>* out) const;

  // Whether Encode searches; else it merges. For tests.
  bool searches() const { return trie_.has_value(); }

 private:
  // How a sound token is made, and what else the search needs.
  struct Token {
    // The rank of the last merge and its sides; -1 for single bytes.
    std::int32_t rank = -1;
    TokenId left = kNoToken, right = kNoToken;
    std::int32_t size = 0;  // Bytes.
    TokenId shorter =
        kNoToken;  // The longest sound token that starts this one.
  };

  void FindSoundTokens(const TokenizerSpec& spec,
                       const std::vector<std::string>& token_bytes);
  bool Compatible(TokenId a, TokenId b) const;
  bool Search(std::string_view piece, Scratch* scratch,
              std::vector<TokenId>* out) const;

  Merging merging_;
  std::vector<Token> tokens_;  // By id; those that are not sound have size 0.
  std::optional<TokenTrie> trie_;  // The sound tokens.
  // With ignore_merges: the tokens that are not sound.
  absl::flat_hash_map<std::string_view, TokenId> whole_;
};

class Bpe::Scratch {
 public:
  // How many tokens all calls so far have tried, or pairs they have looked at
  // where they merged: what the time is in proportion to. For tests.
  std::uint64_t steps() const { return steps_ + merging_.steps(); }

 private:
  friend class Bpe;
  std::uint64_t steps_ = 0;
  Merging::Scratch merging_;
  std::vector<bool> dead_;  // By place in the piece.
};

}  // namespace apollo

#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "model/tokenizer/text_range.h"
#include "model/tokenizer/tokenizer_json.h"

namespace apollo {

// Finds added tokens in text like the `tokenizers` library: leftmost first,
// longest at each position, not nested, then accepted or rejected by their
// flags. Immutable, therefore thread-safe.
class AddedTokenFinder {
 public:
  // Copies the tokens. Contents must be unique and not empty.
  explicit AddedTokenFinder(std::span<const AddedToken> tokens);

  struct Segment {
    TokenId token;          // kNoToken: plain text.
    std::string_view text;  // Never empty.
  };

  // Splits `text` (UTF-8) into added tokens and the text between them. Control
  // tokens (AddedToken::IsControl) that would touch the ranges `ordinary`
  // (ascending, disjoint) are left as text, as if they did not exist, so they
  // hide no other token.
  void Find(std::string_view text, std::span<const TextRange> ordinary,
            std::vector<Segment>* segments) const;

  bool empty() const { return tokens_.empty(); }

 private:
  // A trie over bytes; node 0 is the root.
  struct Edge {
    unsigned char byte;
    int node;
  };
  struct Node {
    std::vector<Edge> edges;
    int token = -1;  // Index into tokens_ of the token that ends here.
  };

  // Returns the index into tokens_ of the longest token at the start of `text`,
  // or -1. Control tokens must not be longer than `room`.
  int Longest(std::string_view text, std::size_t room) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_;
  std::vector<bool> control_;  // By index.
  std::array<bool, 256> first_bytes_ = {};
  bool only_control_ = true;
};

}  // namespace apollo

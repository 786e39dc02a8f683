#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "model/tokenizer/tokenizer_json.h"

namespace apollo {

// Finds added tokens in text: leftmost first, of those the longest, none inside
// another, then each accepted or not by its flags, as the `tokenizers` library
// does it. Immutable, so safe from any thread.
class AddedTokenFinder {
 public:
  // Copies what it needs. Contents must be unique and not empty.
  explicit AddedTokenFinder(std::span<const AddedToken> tokens);

  struct Segment {
    TokenId token;          // kNoToken: plain text.
    std::string_view text;  // Never empty.
  };

  // Cuts `text` (UTF-8) into added tokens and what lies between them. With
  // `special_is_plain`, special tokens are left as text.
  void Find(std::string_view text, bool special_is_plain,
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

  // Index into tokens_ of the longest token at the start of `text`, or -1.
  int Longest(std::string_view text) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_;
  std::array<bool, 256> first_bytes_ = {};
};

}  // namespace apollo

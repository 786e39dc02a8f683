#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "model/tokenizer/text_range.h"
#include "model/tokenizer/tokenizer_json.h"

namespace apollo {

// Returns true if text of a chat message must never give this token: true for
// all but those of white space that are not special, which control nothing and
// which models have seen as text.
bool ControlsChat(const AddedToken& token);

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

  // Splits `text` (UTF-8) into added tokens and the text between them. With
  // `special_is_plain`, special tokens are left as text.
  void Find(std::string_view text, bool special_is_plain,
            std::vector<Segment>* segments) const;

  // Splits `text`, which starts at `offset` of a longer text, leaving tokens
  // for which ControlsChat holds as text where they would touch the ranges
  // `ordinary` of that longer text (ascending, disjoint). A token that is left
  // as text hides no other.
  void FindBetween(std::string_view text, std::size_t offset,
                   std::span<const TextRange> ordinary,
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
  // or -1.
  int Longest(std::string_view text) const;
  // The treatment of a token that was found.
  enum class Verdict {
    kTake,     // Unless its own flags refuse it.
    kHide,     // Text, as are the tokens inside it.
    kShorten,  // A shorter one may start in the same place.
  };
  // `judge(token, start, stop)` returns the Verdict.
  template <typename Judge>
  void Split(std::string_view text, const Judge& judge,
             std::vector<Segment>* segments) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_;
  std::array<bool, 256> first_bytes_ = {};
};

}  // namespace apollo

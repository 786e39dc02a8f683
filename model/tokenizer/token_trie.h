#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "model/tokenizer/token_id.h"

namespace apollo {

// Finds the longest token that text starts with: a trie over bytes in a double
// array (Aoe 1989), 8 bytes a node, so that one step reads one cache line.
// Immutable, so safe from any thread.
class TokenTrie {
 public:
  // Bytes must be unique and not empty; ids below 2^20. Nothing if it would get
  // too large (2^24 cells).
  static std::optional<TokenTrie> Build(
      std::vector<std::pair<std::string_view, TokenId>> tokens);

  // kNoToken if no token matches.
  TokenId Longest(std::string_view text) const {
    std::uint64_t cell = cells_[0];
    TokenId longest = -1;
    for (const char c : text) {
      const std::uint64_t label = kUsed | static_cast<unsigned char>(c);
      cell = cells_[(cell >> kBaseShift) + static_cast<unsigned char>(c)];
      if ((cell & (kUsed | 0xFF)) != label) break;
      const std::uint64_t token = cell >> kTokenShift & kTokenMask;
      if (token != 0) longest = static_cast<TokenId>(token) - 1;
    }
    return longest;
  }

 private:
  // A cell, from the low bits up: the byte that leads to it (8), whether it is
  // in use (1), the token that ends here plus 1 or 0 (21), and its base (24):
  // the child for byte b is at base + b, if that cell says so. No two nodes
  // share a base, so the byte alone tells whose child a cell is. Base 0: no
  // children.
  static constexpr std::uint64_t kUsed = 1 << 8;
  static constexpr int kTokenShift = 9;
  static constexpr std::uint64_t kTokenMask = (1 << 21) - 1;
  static constexpr int kBaseShift = 30;
  static constexpr std::size_t kMaxBase = (1 << 24) - 1;

  friend class TokenTrieBuilder;
  TokenTrie() = default;

  std::vector<std::uint64_t> cells_;
};

}  // namespace apollo

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "model/tokenizer/token_id.h"

namespace apollo {

// Finds the longest token that is a prefix of a text: a trie over bytes in a
// double array (Aoe 1989) with 8 bytes per node, so that one step reads one
// cache line. Immutable, therefore thread-safe.
class TokenTrie {
 public:
  // Builds a trie. Bytes must be unique and not empty, ids below 2^20. Returns
  // nullopt if the trie would exceed 2^24 cells.
  static std::optional<TokenTrie> Build(
      std::vector<std::pair<std::string_view, TokenId>> tokens);

  // Returns kNoToken if no token matches.
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
  // A cell consists of, from the low bits up: the byte that leads to it (8
  // bits), an in-use flag (1), the token that ends here plus 1, or 0 (21), and
  // its base (24). The child for byte b is the cell at base + b, if that cell's
  // byte is b. No two nodes share a base, so the byte alone identifies the
  // parent. Base 0: no children.
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

#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer/merging.h"
#include "model/tokenizer/tokenizer_json.h"

namespace apollo {

// Byte-pair encoding of single pieces with a vocabulary of characters, like
// those of SentencePiece: merging starts with the token of each character, or
// with those of its bytes if it has none. Immutable, therefore thread-safe.
class CharacterBpe {
 public:
  // The vocabulary must not be byte-level. Control tokens are never produced.
  explicit CharacterBpe(const TokenizerSpec& spec);

  // Memory that calls can share to avoid allocations. One per thread.
  struct Scratch {
    std::vector<TokenId> tokens;
    Merging::Scratch merging;
  };

  // Appends the tokens of `piece` (UTF-8), in O(n log n).
  void Encode(std::string_view piece, Scratch* scratch,
              std::vector<TokenId>* out) const;

 private:
  std::array<TokenId, 256> byte_tokens_;
  absl::flat_hash_map<std::int32_t, TokenId> characters_;  // By code point.
  absl::flat_hash_map<std::string, TokenId> whole_;        // For ignore_merges.
  Merging merging_;
};

}  // namespace apollo

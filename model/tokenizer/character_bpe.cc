#include "model/tokenizer/character_bpe.h"

#include <absl/container/flat_hash_set.h>
#include <unicode/utf8.h>

#include "common/strings.h"

namespace apollo {
namespace {

// Returns the code point at `*at`, and moves `at` behind it.
std::int32_t NextCharacter(std::string_view text, std::size_t* at) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  std::int32_t character;
  U8_NEXT(bytes, *at, text.size(), character);
  return character;
}

}  // namespace

CharacterBpe::CharacterBpe(const TokenizerSpec& spec)
    : byte_tokens_(spec.byte_tokens), merging_(spec.byte_tokens, spec.merges) {
  absl::flat_hash_set<TokenId> control;
  for (const AddedToken& token : spec.added_tokens) {
    if (token.IsControl()) control.insert(token.id);
  }
  for (const auto& [spelling, id] : spec.vocab) {
    if (spelling.empty() || control.contains(id)) continue;
    std::size_t size = 0;
    const std::int32_t character = NextCharacter(spelling, &size);
    if (size == spelling.size()) characters_.emplace(character, id);
    if (spec.ignore_merges) whole_.emplace(spelling, id);
  }
}

void CharacterBpe::Encode(std::string_view piece, Scratch* scratch,
                          std::vector<TokenId>* out) const {
  if (!whole_.empty()) {
    const auto found = whole_.find(ToAbsl(piece));
    if (found != whole_.end()) {
      out->push_back(found->second);
      return;
    }
  }
  std::vector<TokenId>& tokens = scratch->tokens;
  tokens.clear();
  for (std::size_t at = 0; at < piece.size();) {
    const std::size_t start = at;
    const auto found = characters_.find(NextCharacter(piece, &at));
    if (found != characters_.end()) {
      tokens.push_back(found->second);
      continue;
    }
    for (std::size_t i = start; i < at; ++i) {
      tokens.push_back(byte_tokens_[static_cast<unsigned char>(piece[i])]);
    }
  }
  merging_.Encode(tokens, &scratch->merging, out);
}

}  // namespace apollo

#pragma once

#include <absl/status/statusor.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "model/tokenizer/token_id.h"

// The checked content of a Hugging Face tokenizer.json as plain data.
// Supported:
//   model            BPE; merges as ["a", "b"] or "a b"; ignore_merges. Not:
//                    dropout, byte_fallback, prefixes and suffixes of
//                    sub-words, unk_token where it could be produced.
//   normalizer       null, NFC, Sequence of NFC
//   pre_tokenizer    ByteLevel, or a Sequence that ends with it, after any
//                    number of Split (Regex, Isolated) and Digits
//   added_tokens     all flags
//   post_processor   null, ByteLevel, TemplateProcessing, Sequence of those
//   decoder          ByteLevel
// `truncation` and `padding` are ignored: they are settings of a call, not of
// the vocabulary, and `transformers` resets them too.
namespace apollo {

inline constexpr TokenId kNoToken = -1;

struct SplitStep {
  std::string pattern;  // A regular expression in Oniguruma syntax.
};
struct DigitsStep {
  bool individual = false;  // Each digit on its own; else runs of digits.
};
// Always the last step.
struct ByteLevelStep {
  bool add_prefix_space = true;
  bool use_regex = true;  // GPT-2's pattern.
};
using PreTokenizerStep = std::variant<SplitStep, DigitsStep, ByteLevelStep>;

struct AddedToken {
  TokenId id = 0;
  std::string content;       // UTF-8, not empty.
  bool special = false;      // A control token, such as end-of-text.
  bool single_word = false;  // Not adjacent to a word character.
  bool lstrip = false;       // Includes the white space before it.
  bool rstrip = false;       // Includes the white space after it.
  bool normalized = false;   // Matched in the text after normalization.
};

struct Merge {
  TokenId left, right, merged;
};

struct TokenizerSpec {
  std::vector<std::pair<std::string, TokenId>> vocab;  // Byte-level spelling.
  // The single-byte token of each byte. kNoToken: the byte is dropped.
  std::array<TokenId, 256> byte_tokens;
  std::vector<Merge> merges;   // Best first.
  bool ignore_merges = false;  // A piece that is a token is not split further.
  bool nfc = false;
  std::vector<PreTokenizerStep> pre_tokenizer;
  std::vector<AddedToken> added_tokens;
  // Ids that the post-processor puts before a text.
  std::vector<TokenId> prefix;
  std::vector<TokenId> suffix;  // Ids that it puts after a text.
};

// Upper bounds of ids (exclusive) and of the number of merges. (The largest
// known vocabularies have 262,144 tokens.)
inline constexpr TokenId kMaxTokens = 1 << 20;
inline constexpr std::size_t kMaxMerges = 1 << 22;

// Returns the errors of Tokenizer::Parse. Guarantees that ids are unique and
// below kMaxTokens, merges name tokens of the vocabulary, no pair occurs twice,
// merging cannot produce special tokens, and added tokens are unique and have
// the ids that Hugging Face gives them.
absl::StatusOr<TokenizerSpec> ParseTokenizerJson(std::string_view json,
                                                 std::string_view source);

}  // namespace apollo

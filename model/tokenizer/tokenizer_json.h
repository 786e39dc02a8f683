#pragma once

#include <absl/status/statusor.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "model/tokenizer/split_behavior.h"
#include "model/tokenizer/token_id.h"
#include "model/tokenizer/unicode_form.h"

// The checked content of a Hugging Face tokenizer.json as plain data.
// docs/tokenizer.md has the table of what is supported; anything else is
// refused, naming the field and its value.
//
// `truncation` and `padding` are ignored: they are settings of a call, not of
// the vocabulary, and `transformers` resets them too.
namespace apollo {

inline constexpr TokenId kNoToken = -1;

// Steps of "normalizer".
struct UnicodeStep {
  UnicodeForm form = UnicodeForm::kNfc;
};
struct PrependStep {
  std::string text;  // Put before each text that is not empty.
};
struct ReplaceStep {
  std::string pattern;  // Literal, not empty.
  std::string content;  // Not empty.
};
using NormalizerStep = std::variant<UnicodeStep, PrependStep, ReplaceStep>;

// Steps of "pre_tokenizer".
struct SplitStep {
  std::string pattern;  // Literal, or a regular expression in Oniguruma syntax.
  bool literal = false;  // Then not empty.
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;
};
struct DigitsStep {
  bool individual = false;  // Each digit on its own; else runs of digits.
};
struct MetaspaceStep {
  enum class Prepend { kNever, kFirst, kAlways };
  std::string replacement;  // Of a space; one character.
  Prepend prepend = Prepend::kAlways;
  bool split = true;  // Before each `replacement`.
};
// Always the last step.
struct ByteLevelStep {
  bool add_prefix_space = true;
  bool use_regex = true;  // GPT-2's pattern.
};
using PreTokenizerStep =
    std::variant<SplitStep, DigitsStep, MetaspaceStep, ByteLevelStep>;

struct AddedToken {
  TokenId id = 0;
  std::string content;       // UTF-8, not empty.
  bool special = false;      // Has no text in an answer.
  bool single_word = false;  // Not adjacent to a word character.
  bool lstrip = false;       // Includes the white space before it.
  bool rstrip = false;       // Includes the white space after it.
  bool normalized = false;   // Matched in the text after normalization.

  // Returns true if ordinary text must never give this token: true for all but
  // those of white space that are not special, which control nothing and which
  // models have seen as text (runs of spaces or line ends).
  bool IsControl() const;
};

// The steps of "decoder", combined.
struct DecoderSpec {
  bool byte_level = false;  // Tokens are spelled in bytes (byte_level.h).
  // Otherwise, in this order, for each token:
  std::vector<ReplaceStep> replace;
  bool byte_fallback = false;  // "<0x0A>" is the byte 10.
  // Then, at the start of the text: up to `strip_count` of the character
  // `strip` are removed.
  std::string strip;
  int strip_count = 0;
};

struct Merge {
  TokenId left, right, merged;
};

struct TokenizerSpec {
  // The tokens are spelled in bytes, as the pre-tokenizer spells the text. If
  // not, they are spelled in characters, and a character without a token is
  // encoded as its bytes.
  bool byte_level = true;
  std::vector<std::pair<std::string, TokenId>> vocab;
  // The token of each byte. kNoToken: the byte is dropped; not without
  // byte_level.
  std::array<TokenId, 256> byte_tokens;
  std::vector<Merge> merges;   // Best first.
  bool ignore_merges = false;  // A piece that is a token is not split further.
  std::vector<NormalizerStep> normalizer;
  std::vector<PreTokenizerStep> pre_tokenizer;
  std::vector<AddedToken> added_tokens;
  // Ids that the post-processor puts before a text.
  std::vector<TokenId> prefix;
  std::vector<TokenId> suffix;  // Ids that it puts after a text.
  DecoderSpec decoder;
};

// Upper bounds of ids (exclusive) and of the number of merges. (The largest
// known vocabularies have 262,144 tokens.)
inline constexpr TokenId kMaxTokens = 1 << 20;
inline constexpr std::size_t kMaxMerges = 1 << 22;

// Returns the errors of Tokenizer::Parse. Guarantees that ids are unique and
// below kMaxTokens, merges name tokens of the vocabulary, no pair occurs twice,
// merging cannot produce control tokens, and added tokens are unique and have
// the ids that Hugging Face gives them.
absl::StatusOr<TokenizerSpec> ParseTokenizerJson(std::string_view json,
                                                 std::string_view source);

}  // namespace apollo

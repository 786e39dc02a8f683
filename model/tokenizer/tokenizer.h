#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer/text_range.h"
#include "model/tokenizer/token_id.h"

namespace apollo {

// The treatment of text that looks like a special token ("<|endoftext|>").
enum class SpecialText {
  kPlain,  // Ordinary text; gives no special token. For user text.
  kParse,  // The special token. For prompts built by this program.
};

// A byte-level byte-pair encoding, read from a Hugging Face tokenizer.json,
// with the same ids as the `tokenizers` library: kParse equals its encode(),
// kPlain its encode() with encode_special_tokens set, both without the
// post-processor (see prefix_ids). tokenizer_json.h lists the supported parts
// of the format.
//
// Immutable, therefore thread-safe. Errors never contain the text.
class Tokenizer {
 public:
  // Maximum length of a text for Encode, in bytes.
  static constexpr std::size_t kMaxTextBytes = std::size_t{256} << 20;

  // Returns NOT_FOUND or PERMISSION_DENIED for the file, INVALID_ARGUMENT for
  // an invalid one, or UNIMPLEMENTED for an unsupported kind of tokenizer. All
  // errors name the file and the field.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> Load(
      const std::string& path);
  // Parses the content of such a file. Errors start with `source`.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> Parse(
      std::string_view json, std::string_view source);

  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // Returns INVALID_ARGUMENT for text that is not UTF-8 (with the offset of the
  // first invalid byte) or longer than kMaxTextBytes, or RESOURCE_EXHAUSTED if
  // a regular expression of the file takes too many steps on the text.
  absl::StatusOr<std::vector<TokenId>> Encode(std::string_view text,
                                              SpecialText special) const;

  // Encodes a text that is partly ours and partly a user's. Like kParse, but no
  // control token touches a byte of the ranges `ordinary` (ascending, disjoint,
  // within the text): there its spelling is encoded as text, together with what
  // is around it. Has the errors of Encode.
  absl::StatusOr<std::vector<TokenId>> EncodeMixed(
      std::string_view text, std::span<const TextRange> ordinary) const;

  // Returns the concatenated bytes of the tokens: the encoded text after
  // normalization, without bytes that have no token (SmolLM2 lacks some control
  // characters). Omits special tokens if `skip_special`. Accepts any ids in any
  // order, so the result need not be valid UTF-8. Returns INVALID_ARGUMENT for
  // an unknown id.
  absl::StatusOr<std::string> Decode(std::span<const TokenId> ids,
                                     bool skip_special) const;

  // The ids that the post-processor puts around a text, such as a
  // begin-of-sequence token. Encode does not add them.
  std::span<const TokenId> prefix_ids() const;
  std::span<const TokenId> suffix_ids() const;

  // Returns the id of the special token spelled `content`, if it exists.
  std::optional<TokenId> SpecialTokenId(std::string_view content) const;
  bool IsSpecial(TokenId id) const;

  // Returns the spellings of the control tokens of EncodeMixed, by id: all
  // added tokens, except those of white space that are not special.
  std::vector<std::string> ControlTokens() const;

  // Returns the raw bytes of a token; empty for ids outside the vocabulary.
  // Valid as long as the tokenizer.
  std::string_view TokenBytes(TokenId id) const;

  // Returns the largest id + 1. A model may have more rows.
  std::size_t vocab_size() const;

 private:
  struct Parts;
  explicit Tokenizer(std::unique_ptr<const Parts> parts);

  std::unique_ptr<const Parts> parts_;
};

}  // namespace apollo

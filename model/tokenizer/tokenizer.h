#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer/token_id.h"

namespace apollo {

// What text that looks like a special token ("<|endoftext|>") is.
enum class SpecialText {
  kPlain,  // Ordinary text: no special token can come out. For users' text.
  kParse,  // That token. For prompts that this program builds.
};

// A byte-level byte-pair encoding read from a Hugging Face tokenizer.json, with
// the same ids as the `tokenizers` library: kParse is its encode(), kPlain its
// encode() with encode_special_tokens set, both without the post-processor (see
// prefix_ids). What of the format is supported stands in tokenizer_json.h.
//
// Immutable, so safe from any thread. No error holds any of the text.
class Tokenizer {
 public:
  // Longest text that Encode takes, in bytes.
  static constexpr std::size_t kMaxTextBytes = std::size_t{256} << 20;

  // NOT_FOUND or PERMISSION_DENIED for the file, INVALID_ARGUMENT for a broken
  // one, UNIMPLEMENTED for a kind of tokenizer this is not; all name the file
  // and the field.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> Load(
      const std::string& path);
  // The same for the file's contents. Errors start with `source`.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> Parse(
      std::string_view json, std::string_view source);

  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // INVALID_ARGUMENT for text that is not UTF-8 (with the offset of the first
  // wrong byte) or longer than kMaxTextBytes; RESOURCE_EXHAUSTED if a regular
  // expression of the file takes too many steps on this text.
  absl::StatusOr<std::vector<TokenId>> Encode(std::string_view text,
                                              SpecialText special) const;

  // The bytes of the tokens, one after the other: the text that was encoded,
  // after normalisation (and without bytes that have no token: SmolLM2 lacks
  // some control characters). Special tokens are left out if `skip_special`.
  // Any ids are accepted in any order, so the bytes need not be UTF-8.
  // INVALID_ARGUMENT for an unknown id.
  absl::StatusOr<std::string> Decode(std::span<const TokenId> ids,
                                     bool skip_special) const;

  // What the file's post-processor puts around one text, such as a
  // begin-of-sequence token. Encode does not add them.
  std::span<const TokenId> prefix_ids() const;
  std::span<const TokenId> suffix_ids() const;

  // The id of the special token written `content`, if there is one.
  std::optional<TokenId> SpecialTokenId(std::string_view content) const;
  bool IsSpecial(TokenId id) const;

  // The raw bytes of one token; empty for ids that are not in the vocabulary.
  // Valid as long as the tokenizer.
  std::string_view TokenBytes(TokenId id) const;

  // The largest id + 1. A model may have more rows than that.
  std::size_t vocab_size() const;

 private:
  struct Parts;
  explicit Tokenizer(std::unique_ptr<const Parts> parts);

  std::unique_ptr<const Parts> parts_;
};

}  // namespace apollo

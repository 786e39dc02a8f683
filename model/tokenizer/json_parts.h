#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer/json_field.h"
#include "model/tokenizer/tokenizer_json.h"

// The readers of the parts of a tokenizer.json, called by ParseTokenizerJson in
// this order. Each reads one field and fills its members of the specification.
namespace apollo {

// Fills normalizer.
absl::Status ReadNormalizer(const JsonField& field, TokenizerSpec* spec);
// Fills pre_tokenizer and byte_level. Needs the normalizer.
absl::Status ReadPreTokenizer(const JsonField& field, TokenizerSpec* spec);
// Fills added_tokens, and removes the merges that would make control tokens.
// Needs the model and the normalizer. `root` is for errors.
absl::Status ReadAddedTokens(const JsonField& root, const JsonField& field,
                             TokenizerSpec* spec);
// Fills prefix and suffix. Needs the added tokens.
absl::Status ReadPostProcessor(const JsonField& field, TokenizerSpec* spec);
// Fills decoder. Needs byte_level.
absl::Status ReadDecoder(const JsonField& field, TokenizerSpec* spec);

// The most steps of a part, with those of nested sequences, and the most bytes
// of a pattern.
inline constexpr std::size_t kMaxSteps = 64;
inline constexpr std::size_t kMaxPatternBytes = 4096;

// Returns the value of the member "type".
absl::StatusOr<std::string> TypeOf(const JsonField& field);

// Returns a member that is true or false.
absl::StatusOr<bool> Flag(const JsonField& field, std::string_view key,
                          std::optional<bool> otherwise = {});

// Returns the steps of a "Sequence", whose array is `key`, with those of nested
// ones in their places; or just the field, if its type is another.
absl::StatusOr<std::vector<JsonField>> StepsOf(const JsonField& field,
                                               std::string_view key);

// Returns the error for a step of an unknown type.
absl::Status UnknownType(const JsonField& field, std::string_view type,
                         std::string_view known);

// Reads a string of exactly one character.
absl::StatusOr<std::string> OneCharacter(const JsonField& field);

// Reads a {"String": "..."}: a literal pattern that is not empty.
absl::StatusOr<std::string> LiteralPattern(const JsonField& pattern);

}  // namespace apollo

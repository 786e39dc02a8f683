#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "model/tokenizer/json_field.h"
#include "model/tokenizer/tokenizer_json.h"
#include "model/tokenizer/tokenizer_tree.h"

namespace apollo {

// Fills vocab, byte_tokens, merges and ignore_merges from the field `model`.
// Needs byte_level. Moves the vocabulary and the merges out of the tree.
absl::Status ReadBpeModel(const JsonField& model, TokenizerTree* tree,
                          TokenizerSpec* spec);

// Reads an integer in [0, kMaxTokens).
absl::StatusOr<TokenId> ReadTokenId(const JsonField& field);

}  // namespace apollo

#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/json.h"
#include "model/tokenizer/token_id.h"

namespace apollo {

// A tokenizer.json as a tree of JSON values, except for the two large parts,
// which are read directly into vectors: that is several times faster. The tree
// has an empty object or array in their place.
struct TokenizerTree {
  struct Merge {
    std::string left, right;
    std::size_t place;  // Index in the array of the file.
  };

  Json json;
  // "model.vocab" in the order of the file, if it is an object. An id that is
  // not an integer from 0 to INT32_MAX reads as -1.
  std::vector<std::pair<std::string, TokenId>> vocab;
  // "model.merges", if it is an array, up to the first entry that is not ["a",
  // "b"] or "a b". The index of that entry is `bad_merge`.
  std::vector<Merge> merges;
  std::optional<std::size_t> bad_merge;
};

// Returns the errors of ParseJson, except for duplicate keys in "model.vocab".
absl::StatusOr<TokenizerTree> ReadTokenizerTree(std::string_view text,
                                                std::string_view source);

}  // namespace apollo

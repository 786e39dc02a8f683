#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "router/access/caller.h"

namespace apollo {

// Who may call a router, and how much (docs/access.md). Immutable after
// parsing.
struct Policy {
  static constexpr std::size_t kMaxCallers = 1000;
  static constexpr std::size_t kMaxBytes = 4 << 20;

  std::vector<Caller> callers;
  CallerLimits overall;  // Of all callers together.
  // What a token of a language counts in the limits of tokens, from
  // kLeastWeight to 1; 1 for languages that are not listed.
  static constexpr double kLeastWeight = 0.05;
  std::map<std::string, double> language_weights;

  // Returns the weight of a language; it may be empty.
  double WeightOf(const std::string& language) const;
};

// Returns true for 1 to 64 characters of [a-z0-9_.-].
bool IsCallerName(std::string_view name);

// Reads a policy in JSON. Returns INVALID_ARGUMENT, starting with `source` (the
// path of the file), that names the field, such as
// "callers[2].limits.tokens_per_second", its value and what would be valid.
// Unknown fields are errors, and so is an identity of two callers.
absl::StatusOr<Policy> ParsePolicy(std::string_view text,
                                   std::string_view source);

}  // namespace apollo

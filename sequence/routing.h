#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <string>
#include <vector>

#include "sequence/generation.h"

namespace apollo {

// The longest window for routing counts.
inline constexpr absl::Duration kMaxRoutingWindow = absl::Hours(1);

// The routing of the tokens of one language. A token counts once in each sparse
// layer, and there once for each of its k experts.
struct LanguageUse {
  std::string language;  // A code of the families table, or "und".
  std::uint64_t tokens = 0;
  std::uint64_t family_tokens = 0;  // Tokens of sequences with a family.
  std::vector<LayerUse> layers;     // One per sparse layer, in order.
  bool operator==(const LanguageUse&) const = default;
};

// The tokens that went through the sparse layers in some time window.
struct RoutingCounts {
  absl::Duration covered;              // Time span covered by the counts.
  std::vector<LanguageUse> languages;  // Languages with tokens, sorted by code.
  bool operator==(const RoutingCounts&) const = default;
};

// Adds the counts of one worker to `into`. `covered` becomes the longer of the
// two. Adds layers and experts that `into` lacks.
void AddRouting(const RoutingCounts& from, RoutingCounts& into);

}  // namespace apollo

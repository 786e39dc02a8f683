#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <string>
#include <vector>

#include "sequence/generation.h"

namespace apollo {

// The longest window over which routing can be asked for.
inline constexpr absl::Duration kMaxRoutingWindow = absl::Hours(1);

// How the tokens of one language were routed. A token counts once in each
// sparse layer, and there for each of its k experts.
struct LanguageUse {
  std::string language;  // A code of the families table, or "und".
  std::uint64_t tokens = 0;
  std::uint64_t family_tokens = 0;  // Of these, of sequences with a family.
  std::vector<LayerUse> layers;     // One for each sparse layer, in order.
  bool operator==(const LanguageUse&) const = default;
};

// The tokens that went through the sparse layers in some span of time.
struct RoutingCounts {
  absl::Duration covered;              // How far back the counts reach.
  std::vector<LanguageUse> languages;  // Those with tokens, by rising code.
  bool operator==(const RoutingCounts&) const = default;
};

// Adds the counts of one worker to those of others; `covered` becomes the
// longer one. Layers and experts that `into` does not have are added to it.
void AddRouting(const RoutingCounts& from, RoutingCounts& into);

}  // namespace apollo

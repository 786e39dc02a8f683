#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

namespace apollo {

// A checkpoint whose gate sends known tokens to known experts, and its expected
// routing of a text, by a formula that is independent of the gate.
//
// Attention and all MLPs add nothing, so the hidden state of a token is its
// embedding in every layer: 2 in one of seven dimensions, 1 in another. The
// gate of layer l has, for expert e, a 1 in dimension (e + l) mod 7. The first
// expert of a token is therefore its first dimension minus l, the second its
// second dimension minus l (mod 7), and the others are far behind.
inline constexpr int kKnownExperts = 7;
inline constexpr int kKnownBoundary = 1;
inline constexpr int kKnownLayers = 3;
inline constexpr int kKnownSparse = kKnownLayers - kKnownBoundary;

// Writes the checkpoint to an existing folder. Its tokenizer has one token per
// byte.
void WriteKnownModel(const std::string& folder);

// Expert use by the tokens of one language, in layers from kKnownBoundary on.
struct KnownUse {
  std::uint64_t tokens = 0;
  std::array<std::array<std::uint64_t, kKnownExperts>, kKnownSparse> by_expert =
      {};
  std::array<std::uint64_t, kKnownSparse> off_family = {};

  // Counts a text of printable ASCII characters. family: an expert.
  void Add(const std::string& text, int family, bool hybrid);
};

}  // namespace apollo

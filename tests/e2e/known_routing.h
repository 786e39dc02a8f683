#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

namespace apollo {

// A checkpoint whose gate sends known tokens to known experts, and what it must
// do with a text, by a formula that shares nothing with the gate.
//
// Attention and all MLPs add nothing, so that a token's hidden state is its
// embedding in every layer: 2 in one of seven dimensions, 1 in another. The
// gate of layer l has, for expert e, a 1 in dimension (e + l) mod 7. So the
// token's first expert is its first dimension minus l, its second expert its
// second dimension minus l (mod 7), and the others are far behind.
inline constexpr int kKnownExperts = 7;
inline constexpr int kKnownBoundary = 1;
inline constexpr int kKnownLayers = 3;
inline constexpr int kKnownSparse = kKnownLayers - kKnownBoundary;

// Writes it to a folder that is there. Its tokenizer has one token for each
// byte.
void WriteKnownModel(const std::string& folder);

// Uses of one language's tokens; layers from kKnownBoundary on.
struct KnownUse {
  std::uint64_t tokens = 0;
  std::array<std::array<std::uint64_t, kKnownExperts>, kKnownSparse> by_expert =
      {};
  std::array<std::uint64_t, kKnownSparse> off_family = {};

  // Counts a text of printable ASCII characters. family: an expert.
  void Add(const std::string& text, int family, bool hybrid);
};

}  // namespace apollo

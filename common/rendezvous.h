#pragma once

#include <cstdint>
#include <string_view>

namespace apollo {

// Returns the score of a name for a key: whoever chooses the name with the
// highest score spreads keys evenly over names, and agrees with all others
// without communication (rendezvous hashing, Thaler and Ravishankar, 1998). It
// is FNV-1a over the name, mixed with the key: the same in every process.
inline std::uint64_t RendezvousScore(std::string_view name, std::uint64_t key) {
  std::uint64_t hash = 0xcbf29ce484222325u ^ key;
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  hash ^= hash >> 32;
  return hash * 0x9e3779b97f4a7c15u;
}

}  // namespace apollo

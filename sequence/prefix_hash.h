#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace apollo {

// Tokens that a prefix hash covers besides those of the one before: a block of
// the dense workers' cache.
inline constexpr int kPrefixTokens = 16;

// The most prefix hashes that a dense worker announces, and the most blocks of
// a prompt that a router hashes.
inline constexpr std::size_t kMostPrefixes = 4096;

// Hashes of the beginnings of prompts, by which routers find the dense worker
// that has one in its cache. Thread-safe.
//
// Hash i of a prompt covers its first i + 1 blocks of kPrefixTokens tokens:
//
//   root   = SHA-256("apollo prefix", model hash, cache salt)
//   h(i)   = the first 8 bytes of SHA-256(root, h(i - 1), tokens of block i),
//            with h(-1) = 0
//
// SHA-256 is one-way: a hash does not reveal the tokens. Prompts of tenants
// with different salts have different hashes. The root is part of each step, so
// that without the salt nobody can test whether a guessed text is cached. Two
// prompts may have the same hash by accident; a router then chooses a worker
// for nothing, and no result changes.
class PrefixHasher {
 public:
  PrefixHasher(const std::string& model_hash, const std::string& salt);

  // Returns the hash that follows `previous`, 0 before the first. `tokens` has
  // kPrefixTokens tokens.
  std::uint64_t Next(std::uint64_t previous,
                     std::span<const std::int32_t> tokens) const;

  // Returns the hashes of all whole blocks of a prompt, at most kMostPrefixes.
  // `known` are those of its first blocks, which are not hashed again.
  std::vector<std::uint64_t> Chain(
      std::span<const std::int32_t> prompt,
      std::span<const std::uint64_t> known = {}) const;

 private:
  std::string root_;
};

// The prefixes that a dense worker announces.
struct CachedPrefixes {
  // Differs for other hashes; not 0.
  std::uint64_t version = 1;
  // If a hash is among them, so are those of all shorter prefixes of the
  // prompt.
  std::vector<std::uint64_t> hashes = {};
};

// Returns the hashes with their version.
CachedPrefixes MakeCachedPrefixes(std::vector<std::uint64_t> hashes);

}  // namespace apollo

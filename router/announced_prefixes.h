#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "sequence/prefix_hash.h"

namespace apollo {

// The prefixes in the cache of one dense worker, as its router knows them:
// those that it has announced, and those of prompts that it has got since, so
// that prompts of the same second find each other. Not thread-safe.
class AnnouncedPrefixes {
 public:
  // Takes an answer of the worker. One with the version of the last adds
  // nothing.
  void Take(const CachedPrefixes& prefixes);
  // Notes that the worker announces nothing, or is another process.
  void Clear();
  // Notes a prompt that the worker has got: its hashes, from the first.
  void Expect(std::span<const std::uint64_t> hashes);

  // Returns the number of leading hashes of a prompt that the worker has.
  std::size_t Longest(std::span<const std::uint64_t> hashes) const;

  // Returns the version taken last; 0 if the worker announces nothing.
  std::uint64_t version() const { return version_; }

 private:
  std::uint64_t version_ = 0;
  absl::flat_hash_set<std::uint64_t> announced_;
  absl::flat_hash_set<std::uint64_t> expected_;  // At most kMostPrefixes.
};

}  // namespace apollo

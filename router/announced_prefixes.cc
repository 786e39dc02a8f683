#include "router/announced_prefixes.h"

namespace apollo {

void AnnouncedPrefixes::Take(const CachedPrefixes& prefixes) {
  if (prefixes.version == version_) return;
  version_ = prefixes.version;
  announced_ = {prefixes.hashes.begin(), prefixes.hashes.end()};
  expected_.clear();
}

void AnnouncedPrefixes::Clear() { *this = {}; }

void AnnouncedPrefixes::Expect(std::span<const std::uint64_t> hashes) {
  if (version_ == 0) return;
  for (const std::uint64_t hash : hashes) {
    if (expected_.size() >= kMostPrefixes) return;
    if (!announced_.contains(hash)) expected_.insert(hash);
  }
}

std::size_t AnnouncedPrefixes::Longest(
    std::span<const std::uint64_t> hashes) const {
  std::size_t found = 0;
  while (found < hashes.size() && (announced_.contains(hashes[found]) ||
                                   expected_.contains(hashes[found]))) {
    ++found;
  }
  return found;
}

}  // namespace apollo

#include "link/cached_prefixes_codec.h"

#include <algorithm>

namespace apollo {

void ToProto(const CachedPrefixes& prefixes, std::uint64_t known,
             internal::v1::CachedPrefixes* out) {
  out->set_version(prefixes.version);
  if (prefixes.version == known) return;
  out->mutable_hashes()->Add(prefixes.hashes.begin(), prefixes.hashes.end());
}

CachedPrefixes FromProto(const internal::v1::CachedPrefixes& message) {
  const int hashes =
      std::min(message.hashes_size(), static_cast<int>(kMostPrefixes));
  return {message.version(),
          {message.hashes().begin(), message.hashes().begin() + hashes}};
}

}  // namespace apollo

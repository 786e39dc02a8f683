#pragma once

#include <cstdint>

#include "proto/apollo/internal/v1/generation.pb.h"
#include "sequence/prefix_hash.h"

namespace apollo {

// Conversion of the prefixes that a dense worker announces.
//
// Leaves out the hashes for a router that knows the version.
void ToProto(const CachedPrefixes& prefixes, std::uint64_t known,
             internal::v1::CachedPrefixes* out);
// Hashes beyond kMostPrefixes are ignored.
CachedPrefixes FromProto(const internal::v1::CachedPrefixes& message);

}  // namespace apollo

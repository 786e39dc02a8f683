#pragma once

#include <absl/status/statusor.h>

#include <cstdint>

namespace apollo {

// How many blocks of block_bytes fit into cache_bytes. RESOURCE_EXHAUSTED,
// naming both, if not even one.
absl::StatusOr<int> BlocksInBytes(std::int64_t cache_bytes,
                                  std::int64_t block_bytes);

}  // namespace apollo

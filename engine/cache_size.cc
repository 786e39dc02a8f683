#include "engine/cache_size.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>

namespace apollo {

absl::StatusOr<int> BlocksInBytes(std::int64_t cache_bytes,
                                  std::int64_t block_bytes) {
  // A stage without layers and without a replay log still counts tokens.
  block_bytes = std::max<std::int64_t>(block_bytes, 1);
  const std::int64_t blocks = cache_bytes / block_bytes;
  if (blocks < 1) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the cache is limited to ", cache_bytes,
                     " bytes, but one block of 16 tokens takes ", block_bytes,
                     "; raise --cache_megabytes"));
  }
  return static_cast<int>(std::min<std::int64_t>(blocks, 1 << 24));
}

}  // namespace apollo

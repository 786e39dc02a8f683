#include "engine/cpu/kv_cache.h"

#include <algorithm>

#include "common/log.h"
#include "common/stop_request.h"

namespace apollo {

KvCache::KvCache(const AttentionShape& shape, int layers, int boundary_size,
                 int blocks)
    : shape_(shape),
      layers_(layers),
      block_bytes_(BlockBytes(shape, layers, boundary_size)),
      buffer_(block_bytes_ * blocks),
      pool_(blocks) {}

absl::Status KvCache::Prefault(ThreadPool& pool) {
  constexpr std::int64_t kPage = 4096;  // Or a multiple.
  // A fraction of a second, after which it looks for a signal.
  constexpr std::int64_t kChunk = (std::int64_t{256} << 20) / kPage;
  volatile char* const bytes = buffer_.as<char>();
  const auto size = static_cast<std::int64_t>(block_bytes_) * pool_.total();
  const std::int64_t pages = (size + kPage - 1) / kPage;
  // Logged first: if the system kills the process here, this is the last line.
  LogInfo("cache_prefault_started", {{"megabytes", size >> 20}});
  for (std::int64_t first = 0; first < pages; first += kChunk) {
    if (StopRequested()) {
      return absl::CancelledError("stopped while the cache was allocated");
    }
    pool.ParallelFor(std::min(kChunk, pages - first), 512,
                     [bytes, first](std::int64_t begin, std::int64_t end) {
                       for (std::int64_t page = first + begin;
                            page < first + end; ++page) {
                         bytes[page * kPage] = 0;  // Writes the existing value.
                       }
                     });
  }
  return absl::OkStatus();
}

std::size_t KvCache::BlockBytes(const AttentionShape& shape, int layers,
                                int boundary_size) {
  return static_cast<std::size_t>(layers) * 2 * shape.block_bytes() +
         static_cast<std::size_t>(boundary_size) * kBlockTokens * sizeof(float);
}

}  // namespace apollo

#include "engine/cpu/kv_cache.h"

#include "common/log.h"

namespace apollo {

KvCache::KvCache(const AttentionShape& shape, int layers, int boundary_size,
                 int blocks)
    : shape_(shape),
      layers_(layers),
      block_bytes_(BlockBytes(shape, layers, boundary_size)),
      buffer_(block_bytes_ * blocks),
      pool_(blocks) {}

void KvCache::Prefault(ThreadPool& pool) {
  constexpr std::int64_t kPage = 4096;  // Or a multiple.
  volatile char* const bytes = buffer_.as<char>();
  const auto size = static_cast<std::int64_t>(block_bytes_) * pool_.total();
  // Logged first: if the system kills the process here, this is the last line.
  LogInfo("cache_prefault_started", {{"megabytes", size >> 20}});
  pool.ParallelFor((size + kPage - 1) / kPage, 512,
                   [bytes](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t page = begin; page < end; ++page) {
                       bytes[page * kPage] = 0;  // Writes the existing value.
                     }
                   });
}

std::size_t KvCache::BlockBytes(const AttentionShape& shape, int layers,
                                int boundary_size) {
  return static_cast<std::size_t>(layers) * 2 * shape.block_bytes() +
         static_cast<std::size_t>(boundary_size) * kBlockTokens * sizeof(float);
}

}  // namespace apollo

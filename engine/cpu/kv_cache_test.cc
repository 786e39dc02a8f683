#include "engine/cpu/kv_cache.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "common/stop_request.h"

namespace apollo {
namespace {

constexpr std::size_t kPage = 4096;

// Returns the number of resident pages of the cache's memory.
std::int64_t PagesTaken(KvCache& cache, std::size_t bytes) {
  std::vector<unsigned char> pages((bytes + kPage - 1) / kPage);
  EXPECT_EQ(mincore(cache.keys(0, 0), bytes, pages.data()), 0);
  return std::count_if(pages.begin(), pages.end(),
                       [](unsigned char page) { return page & 1; });
}

TEST(KvCacheTest, TakesItsMemoryWhenUsedOrAllAtOnce) {
  const AttentionShape shape = {4, 2, 64};
  constexpr int kBlocks = 1000;
  KvCache cache(shape, 3, 32, kBlocks);
  ASSERT_TRUE(cache.status().ok());
  const std::size_t bytes = KvCache::BlockBytes(shape, 3, 32) * kBlocks;
  const auto pages = static_cast<std::int64_t>((bytes + kPage - 1) / kPage);
  EXPECT_EQ(PagesTaken(cache, bytes), 0);
  ThreadPool pool(3);
  EXPECT_TRUE(cache.Prefault(pool).ok());
  EXPECT_EQ(PagesTaken(cache, bytes), pages);
}

TEST(KvCacheTest, ASignalStopsTheAllocation) {
  BlockStopSignals();
  const AttentionShape shape = {4, 2, 64};
  KvCache cache(shape, 3, 32, 1000);
  ThreadPool pool(1);
  kill(getpid(), SIGINT);
  EXPECT_EQ(cache.Prefault(pool).code(), absl::StatusCode::kCancelled);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  int got = 0;
  sigwait(&signals, &got);  // It is still there for others.
  EXPECT_EQ(got, SIGINT);
  EXPECT_TRUE(cache.Prefault(pool).ok());
}

}  // namespace
}  // namespace apollo

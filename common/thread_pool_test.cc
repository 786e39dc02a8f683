#include "common/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace apollo {
namespace {

TEST(ThreadPoolTest, EveryIndexExactlyOnceForAnyCountAndSize) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    for (const int count : {0, 1, 2, 7, 64, 1001}) {
      for (const int grain : {1, 16, 5000}) {
        std::vector<int> hits(count, 0);
        pool.ParallelFor(count, grain, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i) ++hits[i];
        });
        for (int i = 0; i < count; ++i) EXPECT_EQ(hits[i], 1) << i;
      }
    }
  }
}

TEST(ThreadPoolTest, ManyShortLoopsOneAfterTheOther) {
  ThreadPool pool(4);
  std::vector<std::int64_t> sums(4, 0);
  std::atomic<std::int64_t> total{0};
  for (int i = 0; i < 2000; ++i) {
    pool.ParallelFor(4, 1, [&](std::int64_t begin, std::int64_t end) {
      total.fetch_add(end - begin, std::memory_order_relaxed);
    });
  }
  EXPECT_EQ(total.load(), 8000);
}

}  // namespace
}  // namespace apollo

#include "common/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "common/mutex.h"

namespace apollo {
namespace {

TEST(ThreadPoolTest, RunsEveryIndexExactlyOnceForAnyCountAndSize) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    for (const int count : {0, 1, 2, 7, 64, 1001}) {
      for (const int grain : {1, 16, 5000}) {
        std::vector<int> hits(count, 0);
        pool.ParallelFor(count, grain,
                         [&](std::int64_t begin, std::int64_t end) {
                           for (std::int64_t i = begin; i < end; ++i) ++hits[i];
                         });
        for (int i = 0; i < count; ++i) EXPECT_EQ(hits[i], 1) << i;
      }
    }
  }
}

TEST(ThreadPoolTest, ManyShortLoopsOneAfterTheOther) {
  ThreadPool pool(4);
  std::atomic<std::int64_t> total{0};
  for (int i = 0; i < 2000; ++i) {
    pool.ParallelFor(4, 1, [&](std::int64_t begin, std::int64_t end) {
      total.fetch_add(end - begin, std::memory_order_relaxed);
    });
  }
  EXPECT_EQ(total.load(), 8000);
}

// Waits much longer than a pool thread spins before it blocks.
void LetOthersFallAsleep() {
  for (int i = 0; i < 3000; ++i) std::this_thread::yield();
}

TEST(ThreadPoolTest, BlockedThreadsWakeForTheNextLoopAndForTheEnd) {
  for (int round = 0; round < 8; ++round) {
    ThreadPool pool(3);
    for (int i = 0; i < 5; ++i) {
      LetOthersFallAsleep();
      std::vector<int> hits(6, 0);
      pool.ParallelFor(6, 1, [&](std::int64_t begin, std::int64_t end) {
        // The caller may also have to block until the last range is complete.
        if (begin == 5) LetOthersFallAsleep();
        for (std::int64_t j = begin; j < end; ++j) ++hits[j];
      });
      EXPECT_EQ(hits, std::vector<int>(6, 1));
    }
    if (round % 2 == 0) LetOthersFallAsleep();
  }
}

TEST(ThreadPoolTest, NoRangeIsShorterThanTheGrainUnlessAlwaysSplit) {
  for (const bool always : {false, true}) {
    ThreadPool pool(
        4, always ? ThreadPool::Split::kAlways : ThreadPool::Split::kByGrain);
    for (const int count : {5, 99, 1000}) {
      std::atomic<int> ranges{0}, shorter{0};
      pool.ParallelFor(count, 100, [&](std::int64_t begin, std::int64_t end) {
        ++ranges;
        if (end - begin < 100) ++shorter;
      });
      if (always) {
        EXPECT_GT(ranges, 1);
      } else {
        EXPECT_EQ(shorter, count < 100 ? 1 : 0);
        EXPECT_EQ(ranges > 1, count == 1000);
      }
    }
  }
}

TEST(ThreadPoolTest, EveryLoopIsProgress) {
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    std::set<std::uint64_t> seen = {pool.progress()};
    for (int i = 0; i < 5; ++i) {
      pool.ParallelFor(100, 1, [](std::int64_t, std::int64_t) {});
      seen.insert(pool.progress());
    }
    EXPECT_EQ(seen.size(), 6u) << threads;
  }
}

TEST(ThreadPoolTest, EveryRangeOfALongLoopIsProgress) {
  ThreadPool pool(2);
  Mutex mutex;
  std::set<std::uint64_t> seen;
  pool.ParallelFor(1000, 1, [&](std::int64_t, std::int64_t) {
    MutexLock lock(mutex);
    seen.insert(pool.progress());
  });
  // One of the threads runs four of the eight ranges, and sees its own
  // complete.
  EXPECT_GE(seen.size(), 4u);
}

}  // namespace
}  // namespace apollo

#include "common/queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace apollo {
namespace {

TEST(QueueTest, CountsTheBytesThatWait) {
  Queue<int> queue;
  EXPECT_TRUE(queue.Push(1, 10));
  EXPECT_TRUE(queue.Push(2));
  EXPECT_TRUE(queue.Push(3, 5));
  EXPECT_EQ(queue.bytes(), 15u);
  queue.Pop();
  EXPECT_EQ(queue.bytes(), 5u);
  queue.Close();
  EXPECT_FALSE(queue.Push(4, 7));
  EXPECT_EQ(queue.bytes(), 5u);
  queue.Pop();
  queue.Pop();
  EXPECT_EQ(queue.bytes(), 0u);
}

TEST(QueueTest, IsFirstInFirstOut) {
  Queue<std::unique_ptr<int>> queue;  // Move-only values.
  EXPECT_FALSE(queue.TryPop().has_value());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.Push(std::make_unique<int>(i)));
  EXPECT_EQ(**queue.Pop(), 0);
  EXPECT_EQ(**queue.TryPop(), 1);
  EXPECT_EQ(**queue.Pop(), 2);
  EXPECT_FALSE(queue.TryPop().has_value());
}

TEST(QueueTest, AClosedQueueGivesOutWhatItHolds) {
  Queue<int> queue;
  EXPECT_TRUE(queue.Push(1));
  EXPECT_FALSE(queue.closed());
  queue.Close();
  queue.Close();
  EXPECT_TRUE(queue.closed());
  EXPECT_FALSE(queue.Push(2));
  EXPECT_EQ(queue.Pop(), 1);
  EXPECT_EQ(queue.Pop(), std::nullopt);
}

TEST(QueueTest, CloseWakesEveryWaitingPop) {
  Queue<int> queue;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&queue] { EXPECT_EQ(queue.Pop(), std::nullopt); });
  }
  queue.Close();
  for (std::thread& thread : threads) thread.join();
}

TEST(QueueTest, LosesAndRepeatsNothingBetweenThreads) {
  constexpr int kThreads = 3;
  constexpr int kValues = 2000;
  Queue<int> queue;
  std::vector<std::vector<int>> popped(kThreads);
  std::vector<std::thread> poppers, pushers;
  for (int t = 0; t < kThreads; ++t) {
    poppers.emplace_back([&queue, &mine = popped[t]] {
      while (const std::optional<int> value = queue.Pop())
        mine.push_back(*value);
    });
    pushers.emplace_back([&queue, t] {
      for (int i = 0; i < kValues; ++i) queue.Push(t * kValues + i);
    });
  }
  for (std::thread& thread : pushers) thread.join();
  queue.Close();
  for (std::thread& thread : poppers) thread.join();
  std::vector<int> seen(kThreads * kValues);
  for (const std::vector<int>& values : popped) {
    // Values of one thread arrive in the order of its pushes.
    std::vector<int> last(kThreads, -1);
    for (const int value : values) {
      ++seen[value];
      EXPECT_GT(value, last[value / kValues]);
      last[value / kValues] = value;
    }
  }
  EXPECT_EQ(seen, std::vector<int>(kThreads * kValues, 1));
}

}  // namespace
}  // namespace apollo

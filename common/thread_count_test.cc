#include "common/thread_count.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

namespace apollo {
namespace {

TEST(ThreadCountTest, ThreadsAreAtMostThoseOfTheMachine) {
  const int cores =
      std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  EXPECT_EQ(*ThreadCount(0), cores);
  EXPECT_EQ(*ThreadCount(1), 1);
  EXPECT_EQ(*ThreadCount(cores), cores);
  for (const int wrong : {-1, cores + 1}) {
    EXPECT_EQ(ThreadCount(wrong).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace apollo

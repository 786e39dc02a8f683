#include "common/backoff.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(BackoffTest, PausesGrowToTheLongestUntilASuccess) {
  Backoff backoff(absl::Milliseconds(20), absl::Milliseconds(100));
  for (int round = 0; round < 2; ++round) {
    for (const int expected : {20, 40, 80, 100, 100}) {
      EXPECT_EQ(backoff.Next(), absl::Milliseconds(expected));
    }
    backoff.Reset();
  }
}

}  // namespace
}  // namespace apollo

#include "router/access/token_bucket.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

constexpr absl::Duration kStart = absl::Seconds(1000);

TEST(TokenBucketTest, ABurstThenTheRate) {
  TokenBucket bucket({.per_second = 2, .burst = 5}, kStart);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(bucket.WaitFor(1, kStart), absl::ZeroDuration());
    bucket.Take(1, kStart);
  }
  EXPECT_EQ(bucket.WaitFor(1, kStart), absl::Milliseconds(500));
  EXPECT_EQ(bucket.WaitFor(3, kStart), absl::Milliseconds(1500));
  EXPECT_EQ(bucket.WaitFor(1, kStart + absl::Milliseconds(500)),
            absl::ZeroDuration());
  // It does not fill beyond the burst.
  EXPECT_EQ(bucket.Available(kStart + absl::Hours(1)), 5);
}

TEST(TokenBucketTest, MoreThanTheBurstNeedsAFullBucketAndIsOwed) {
  TokenBucket bucket({.per_second = 10, .burst = 100}, kStart);
  EXPECT_EQ(bucket.WaitFor(500, kStart), absl::ZeroDuration());
  bucket.Take(500, kStart);
  EXPECT_EQ(bucket.Available(kStart), -400);
  EXPECT_EQ(bucket.WaitFor(1, kStart), absl::Seconds(40.1));
  EXPECT_EQ(bucket.WaitFor(500, kStart), absl::Seconds(50));
}

TEST(TokenBucketTest, WhatIsPutBackCanBeTaken) {
  TokenBucket bucket({.per_second = 1, .burst = 10}, kStart);
  bucket.Take(10, kStart);
  bucket.Put(4, kStart);
  EXPECT_EQ(bucket.Available(kStart), 4);
  bucket.Put(100, kStart);
  EXPECT_EQ(bucket.Available(kStart), 10);
}

TEST(TokenBucketTest, ANewLimitKeepsTheContent) {
  TokenBucket bucket({.per_second = 1, .burst = 10}, kStart);
  bucket.Take(8, kStart);
  bucket.SetLimit({.per_second = 100, .burst = 1000}, kStart);
  EXPECT_EQ(bucket.Available(kStart), 2);
  bucket.SetLimit({.per_second = 1, .burst = 1}, kStart);
  EXPECT_EQ(bucket.Available(kStart), 1);
}

// Of 1,000 times 0.1, none is refused because of its rounding.
TEST(TokenBucketTest, RoundingRefusesNothing) {
  TokenBucket bucket({.per_second = 1e-6, .burst = 100}, kStart);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(bucket.WaitFor(0.1, kStart), absl::ZeroDuration()) << i;
    bucket.Take(0.1, kStart);
  }
}

}  // namespace
}  // namespace apollo

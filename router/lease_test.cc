#include "router/lease.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

constexpr absl::Duration kLength = absl::Milliseconds(300);
constexpr absl::Duration kStart = absl::Seconds(5);

TEST(LeaseTest, ExpiresAfterTheLastSign) {
  Lease lease;
  EXPECT_FALSE(lease.Expired(kStart, kLength));  // Nothing is expected yet.
  lease.Renew(kStart);
  EXPECT_FALSE(lease.Expired(kStart + kLength, kLength));
  EXPECT_TRUE(lease.Expired(kStart + 1.01 * kLength, kLength));
  lease.Renew(kStart + kLength);
  EXPECT_FALSE(lease.Expired(kStart + 2 * kLength, kLength));
}

TEST(LeaseTest, AnEndedLeaseDoesNotExpire) {
  Lease lease;
  lease.Renew(kStart);
  lease.End();
  EXPECT_FALSE(lease.held());
  EXPECT_FALSE(lease.Expired(kStart + 10 * kLength, kLength));
}

TEST(LeaseTest, TimeInWhichTheCallerDidNotRunDoesNotCount) {
  constexpr absl::Duration kInterval = absl::Milliseconds(50);
  Lease lease;
  lease.Renew(kStart);
  const absl::Duration now = kStart + absl::Seconds(30);
  lease.Extend(Missed(kStart, now, kInterval), now);
  EXPECT_FALSE(lease.Expired(now, kLength));
  EXPECT_TRUE(lease.Expired(now + kLength, kLength));
  // An ordinary delay is none.
  EXPECT_EQ(Missed(kStart, kStart + kInterval, kInterval),
            absl::ZeroDuration());
  EXPECT_EQ(Missed(kStart, kStart + 2 * kInterval, kInterval),
            absl::ZeroDuration());
}

}  // namespace
}  // namespace apollo

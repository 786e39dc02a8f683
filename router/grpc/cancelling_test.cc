#include "router/grpc/cancelling.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using TimePoint = std::chrono::system_clock::time_point;

const TimePoint kArrived = TimePoint(seconds(1'700'000'000));

absl::StatusCode After(milliseconds passed, milliseconds timeout) {
  return CancelReason(kArrived, kArrived + timeout, kArrived + passed).code();
}

TEST(CancelReasonTest, ADeadlineThatPassedIsTheReason) {
  for (const milliseconds passed : {seconds(10), seconds(11), seconds(3600)}) {
    EXPECT_EQ(After(passed, seconds(10)), absl::StatusCode::kDeadlineExceeded);
  }
}

TEST(CancelReasonTest, BeforeTheDeadlineTheClientCancelled) {
  EXPECT_EQ(After(milliseconds(0), seconds(10)), absl::StatusCode::kCancelled);
  EXPECT_EQ(After(seconds(9), seconds(10)), absl::StatusCode::kCancelled);
}

// The client's timer starts earlier, and its timeout is rounded up on the wire.
TEST(CancelReasonTest, AClientMayEndTheCallALittleEarly) {
  EXPECT_EQ(After(milliseconds(9901), seconds(10)),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(After(milliseconds(45), milliseconds(50)),
            absl::StatusCode::kDeadlineExceeded);
}

TEST(CancelReasonTest, WithoutADeadlineTheClientCancelled) {
  EXPECT_EQ(
      CancelReason(kArrived, TimePoint::max(), kArrived + seconds(9000)).code(),
      absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace apollo

#include "common/retry_hint.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(RetryHintTest, IsKeptInMilliseconds) {
  absl::Status error = absl::ResourceExhaustedError("full");
  EXPECT_EQ(RetryHintOf(error), std::nullopt);
  SetRetryHint(absl::Microseconds(2500100), error);
  EXPECT_EQ(RetryHintOf(error), absl::Milliseconds(2501));
  SetRetryHint(absl::Seconds(9), error);
  EXPECT_EQ(RetryHintOf(error), absl::Seconds(9));
  EXPECT_EQ(error.message(), "full");
}

TEST(RetryHintTest, SuccessHasNone) {
  EXPECT_EQ(RetryHintOf(absl::OkStatus()), std::nullopt);
}

}  // namespace
}  // namespace apollo

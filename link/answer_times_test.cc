#include "link/answer_times.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

using absl::Milliseconds;

TEST(AnswerTimesTest, TheUsualTimeFollowsTheAnswers) {
  AnswerTimes times;
  EXPECT_EQ(times.Usual(1), absl::ZeroDuration());
  times.Took(1, Milliseconds(8));
  EXPECT_EQ(times.Usual(1), Milliseconds(8));
  times.Took(1, Milliseconds(16));
  EXPECT_EQ(times.Usual(1), Milliseconds(10));
}

TEST(AnswerTimesTest, NothingIsLateWithoutOthers) {
  AnswerTimes times;
  EXPECT_EQ(times.LateAfter(1), absl::InfiniteDuration());
  times.Took(1, Milliseconds(8));
  EXPECT_EQ(times.LateAfter(1), absl::InfiniteDuration());
  // Nothing is known of the second, and the first is another for it.
  EXPECT_EQ(times.LateAfter(2), Milliseconds(18));
}

TEST(AnswerTimesTest, LateIsMeasuredByTheMedianOfTheOthers) {
  AnswerTimes times;
  times.Took(1, Milliseconds(100));
  times.Took(2, Milliseconds(3));
  EXPECT_EQ(times.LateAfter(1), Milliseconds(8));
  EXPECT_EQ(times.LateAfter(2), Milliseconds(202));
  times.Took(3, Milliseconds(5));
  EXPECT_EQ(times.LateAfter(1), Milliseconds(8));   // 3 of 3 and 5.
  EXPECT_EQ(times.LateAfter(2), Milliseconds(12));  // 5 of 5 and 100.
  EXPECT_EQ(times.LateAfter(3), Milliseconds(8));   // 3 of 3 and 100.
  // One idle worker does not make the others late.
  times.Took(4, Milliseconds(5));
  EXPECT_EQ(times.LateAfter(3), Milliseconds(12));
}

TEST(AnswerTimesTest, AForgottenLinkDoesNotCount) {
  AnswerTimes times;
  times.Took(1, Milliseconds(4));
  times.Took(2, Milliseconds(4));
  times.Took(3, Milliseconds(10));
  times.Forget(2);
  times.Forget(7);
  EXPECT_EQ(times.Usual(2), absl::ZeroDuration());
  EXPECT_EQ(times.LateAfter(1), Milliseconds(22));
  EXPECT_EQ(times.LateAfter(3), Milliseconds(10));
}

}  // namespace
}  // namespace apollo

#include "link/answer_times.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

using absl::Milliseconds;

constexpr absl::Duration kNow = absl::Seconds(9);

TEST(AnswerTimesTest, TheUsualTimeFollowsTheAnswers) {
  AnswerTimes times;
  EXPECT_EQ(times.UsualOf(1), absl::ZeroDuration());
  times.Took(1, Milliseconds(8), kNow);
  EXPECT_EQ(times.UsualOf(1), Milliseconds(8));
  times.Took(1, Milliseconds(16), kNow);
  EXPECT_EQ(times.UsualOf(1), Milliseconds(10));
}

TEST(AnswerTimesTest, NothingIsLateWithoutOthers) {
  AnswerTimes times;
  EXPECT_EQ(times.LateAfter(1), absl::InfiniteDuration());
  times.Took(1, Milliseconds(8), kNow);
  EXPECT_EQ(times.LateAfter(1), absl::InfiniteDuration());
  // Nothing is known of the second, and the first is another for it.
  EXPECT_EQ(times.LateAfter(2), Milliseconds(18));
}

TEST(AnswerTimesTest, LateIsMeasuredByTheMedianOfTheOthers) {
  AnswerTimes times;
  times.Took(1, Milliseconds(100), kNow);
  times.Took(2, Milliseconds(3), kNow);
  EXPECT_EQ(times.LateAfter(1), Milliseconds(8));
  EXPECT_EQ(times.LateAfter(2), Milliseconds(202));
  times.Took(3, Milliseconds(5), kNow);
  EXPECT_EQ(times.LateAfter(1), Milliseconds(8));   // 3 of 3 and 5.
  EXPECT_EQ(times.LateAfter(2), Milliseconds(12));  // 5 of 5 and 100.
  EXPECT_EQ(times.LateAfter(3), Milliseconds(8));   // 3 of 3 and 100.
  // One idle worker does not make the others late.
  times.Took(4, Milliseconds(5), kNow);
  EXPECT_EQ(times.LateAfter(3), Milliseconds(12));
}

TEST(AnswerTimesTest, AForgottenLinkDoesNotCount) {
  AnswerTimes times;
  times.Took(1, Milliseconds(4), kNow);
  times.Took(2, Milliseconds(4), kNow);
  times.Took(3, Milliseconds(10), kNow);
  times.Forget(2);
  times.Forget(7);
  EXPECT_EQ(times.UsualOf(2), absl::ZeroDuration());
  EXPECT_EQ(times.LateAfter(1), Milliseconds(22));
  EXPECT_EQ(times.LateAfter(3), Milliseconds(10));
}

TEST(AnswerTimesTest, OldTimesAreForgotten) {
  AnswerTimes times;
  times.Took(1, Milliseconds(4), absl::Seconds(1));
  times.Took(2, Milliseconds(4), absl::Seconds(2));
  times.Took(1, Milliseconds(4), absl::Seconds(3));
  times.ForgetOlder(absl::Seconds(3));
  EXPECT_EQ(times.UsualOf(1), Milliseconds(4));
  EXPECT_EQ(times.UsualOf(2), absl::ZeroDuration());
  EXPECT_EQ(times.LateAfter(1), absl::InfiniteDuration());
}

}  // namespace
}  // namespace apollo

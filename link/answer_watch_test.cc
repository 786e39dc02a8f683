#include "link/answer_watch.h"

#include <gtest/gtest.h>

#include "common/fake_clock.h"

namespace apollo {
namespace {

using Links = std::vector<LinkId>;

constexpr absl::Duration kLimit = absl::Seconds(10);

TEST(AnswerWatchTest, OnlyALinkThatOwesAnAnswerIsSilent) {
  FakeClock clock;
  AnswerWatch watch(clock);
  watch.Asked(1);
  watch.Asked(2);
  watch.Answered(2);
  clock.now += kLimit;
  EXPECT_EQ(watch.SilentFor(kLimit, clock.now), Links());
  clock.now += absl::Milliseconds(1);
  EXPECT_EQ(watch.SilentFor(kLimit, clock.now), Links{1});
}

TEST(AnswerWatchTest, EveryAnswerIsASignOfLife) {
  FakeClock clock;
  AnswerWatch watch(clock);
  for (int i = 0; i < 3; ++i) watch.Asked(1);
  clock.now += kLimit * 0.9;
  watch.Answered(1);
  clock.now += kLimit * 0.9;
  EXPECT_EQ(watch.SilentFor(kLimit, clock.now), Links());
  watch.Asked(1);  // A further request is not a sign of life.
  clock.now += kLimit * 0.2;
  EXPECT_EQ(watch.SilentFor(kLimit, clock.now), Links{1});
}

TEST(AnswerWatchTest, ProgressIsASignOfLifeHoweverLongAnAnswerTakes) {
  FakeClock clock;
  AnswerWatch watch(clock);
  watch.Progressed(1);  // Owes nothing.
  watch.Asked(1);
  for (int i = 0; i < 20; ++i) {
    clock.now += kLimit * 0.9;
    EXPECT_EQ(watch.SilentFor(kLimit, clock.now), Links());
    watch.Progressed(1);
  }
  clock.now += kLimit * 1.1;
  EXPECT_EQ(watch.SilentFor(kLimit, clock.now), Links{1});
}

TEST(AnswerWatchTest, TimeBeforeTheFirstQuestionDoesNotCount) {
  FakeClock clock;
  AnswerWatch watch(clock);
  watch.Asked(1);
  watch.Answered(1);
  clock.now += kLimit * 5;
  watch.Asked(1);
  EXPECT_EQ(watch.SilentFor(kLimit, clock.now), Links());
}

TEST(AnswerWatchTest, ALateCheckDoesNotMakeLinksSilent) {
  FakeClock clock;
  AnswerWatch watch(clock);
  watch.Asked(1);
  const absl::Duration looked = clock.now + kLimit;
  clock.now += kLimit * 3;  // The answers since then are not handled yet.
  EXPECT_EQ(watch.SilentFor(kLimit, looked), Links());
}

TEST(AnswerWatchTest, ForgottenLinksOweNothing) {
  FakeClock clock;
  AnswerWatch watch(clock);
  watch.Asked(1);
  watch.Forget(1);
  watch.Answered(1);
  clock.now += kLimit * 2;
  EXPECT_EQ(watch.SilentFor(kLimit, clock.now), Links());
}

}  // namespace
}  // namespace apollo

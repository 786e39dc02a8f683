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

constexpr absl::Duration kLease = absl::Milliseconds(300);
constexpr absl::Duration kInterval = absl::Milliseconds(50);  // Of reports.
const Frame kMoved = {Progress{.regular = true}};
const Frame kStill = {Progress{.regular = true, .still = true}};

TEST(AnswerWatchTest, OnlyAPeerWithRegularReportsIsUnheard) {
  FakeClock clock;
  AnswerWatch watch(clock);
  for (const LinkId id : {1, 2, 3}) watch.Asked(id);
  watch.Heard(1, kStill);
  watch.Heard(2, {Progress{}});  // From an older worker.
  clock.now += kLease * 1.1;
  EXPECT_EQ(watch.UnheardFor(kLease, clock.now), Links{1});
  watch.Heard(1, {WorkerInfo{}});
  EXPECT_EQ(watch.UnheardFor(kLease, clock.now), Links());
}

// A peer that reports all the time, and to which this end has sent something.
class AcknowledgedTest : public testing::Test {
 protected:
  AcknowledgedTest() { watch_.Asked(1); }
  // Passes several leases with reports. Their count grows after each
  // `advances` of them; never, if 0.
  void Pass(std::optional<std::uint64_t> received, std::uint64_t sent,
            int advances = 0) {
    for (int i = 1; i <= 30; ++i) {
      clock_.now += kInterval;
      watch_.Heard(1, {.body = Progress{.regular = true, .received = received},
                       .sent = sent});
      if (advances > 0 && i % advances == 0) ++*received;
    }
  }
  Links Unheard() { return watch_.UnheardFor(kLease, clock_.now); }

  FakeClock clock_;
  AnswerWatch watch_{clock_};
};

TEST_F(AcknowledgedTest, APeerToWhichNothingComesIsUnheardUntilSomethingDoes) {
  Pass(5, 6);
  EXPECT_EQ(Unheard(), Links{1});
  watch_.Heard(1, {StageResult{}});  // Says nothing about the way to it.
  EXPECT_EQ(Unheard(), Links{1});
  EXPECT_EQ(watch_.SilentFor(kLimit, clock_.now), Links());
  watch_.Heard(1,
               {.body = Progress{.regular = true, .received = 6}, .sent = 8});
  EXPECT_EQ(Unheard(), Links());
  watch_.Forget(1);
  Pass(6, 8);
  EXPECT_EQ(Unheard(), Links());  // It owes nothing.
}

TEST_F(AcknowledgedTest, APieceThatComesNowAndThenIsEnough) {
  Pass(5, 100, /*advances=*/1);
  EXPECT_EQ(Unheard(), Links());
  Pass(50, 100, /*advances=*/4);
  EXPECT_EQ(Unheard(), Links());
}

TEST_F(AcknowledgedTest, APeerToWhichNothingIsOnItsWayIsHeard) {
  Pass(5, 5);
  EXPECT_EQ(Unheard(), Links());
  Pass(6, 5);  // From a peer that counts wrongly.
  EXPECT_EQ(Unheard(), Links());
}

TEST_F(AcknowledgedTest, APeerThatDoesNotCountIsHeard) {
  Pass(std::nullopt, 6);
  EXPECT_EQ(Unheard(), Links());
}

// The second was sent before the large frame, and waited behind it.
TEST_F(AcknowledgedTest, TwoReportsAroundALargeFrameAreNoProof) {
  Pass(6, 6);
  for (int i = 0; i < 2; ++i) {
    watch_.Heard(1,
                 {.body = Progress{.regular = true, .received = 6}, .sent = 7});
    clock_.now += kLease * 5;
  }
  watch_.Heard(1, {ExpertOutputs{}});
  EXPECT_EQ(Unheard(), Links());
}

TEST(AnswerWatchTest, APeerThatFrozeWithoutWorkIsUnheardAtOnce) {
  FakeClock clock;
  AnswerWatch watch(clock);
  watch.Heard(1, kStill);
  clock.now += kLease * 2;
  EXPECT_EQ(watch.UnheardFor(kLease, clock.now), Links());  // It owes nothing.
  watch.Asked(1);
  EXPECT_EQ(watch.UnheardFor(kLease, clock.now), Links{1});
  EXPECT_EQ(watch.SilentFor(kLimit, clock.now), Links());
}

TEST(AnswerWatchTest, AReportOfStandstillIsNoProgress) {
  FakeClock clock;
  AnswerWatch watch(clock);
  watch.Asked(1);
  for (int i = 0; i < 11; ++i) {
    clock.now += kLimit * 0.1;
    watch.Heard(1, kStill);
  }
  EXPECT_EQ(watch.UnheardFor(kLease, clock.now), Links());
  EXPECT_EQ(watch.SilentFor(kLimit, clock.now), Links{1});
}

TEST(AnswerWatchTest, APeerOnceSlowIsGrantedTwiceItsTimeButNotAFrozenOne) {
  FakeClock clock;
  AnswerWatch watch(clock);
  const auto pass = [&](LinkId id, absl::Duration time, bool heard) {
    for (const absl::Duration end = clock.now + time; clock.now < end;) {
      clock.now += kInterval;
      if (heard) watch.Heard(id, kStill);
    }
  };
  for (const LinkId id : {1, 2}) {
    watch.Asked(id);
    watch.Heard(id, kMoved);
    pass(id, kLimit * 2, /*heard=*/id == 1);
    watch.Heard(id, kMoved);
    pass(id, kLimit * 3, true);
    EXPECT_EQ(watch.SilentFor(kLimit, clock.now), id == 1 ? Links() : Links{2});
    EXPECT_EQ(watch.StillFor(kLimit * 2, clock.now), Links{id});
    watch.Forget(id);
  }
}

// Reports that came meanwhile are handled late, and all at once.
TEST(AnswerWatchTest, ALongStepOfThisProcessGrantsAPeerNothing) {
  FakeClock clock;
  AnswerWatch watch(clock);
  watch.Heard(1, kMoved);
  watch.Asked(1);
  clock.now += kLimit * 5;
  watch.Heard(1, kStill);
  watch.Heard(1, kMoved);
  for (absl::Duration time; time < kLimit * 1.1; time += kInterval) {
    clock.now += kInterval;
    watch.Heard(1, kStill);
  }
  EXPECT_EQ(watch.SilentFor(kLimit, clock.now), Links{1});
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

#include "expert_worker/progress_reporter.h"

#include <gtest/gtest.h>

#include "common/fake_clock.h"
#include "link/answer_watch.h"
#include "link/fake_link.h"

namespace apollo {
namespace {

constexpr Progress kMoved = {.regular = true, .still = false};
constexpr Progress kStill = {.regular = true, .still = true};

TEST(ProgressReporterTest, TellsEachPeerWhetherTheEngineMovedSinceItsReport) {
  ProgressReporter reporter;
  const auto first = std::make_shared<FakeLink>();
  const auto second = std::make_shared<FakeLink>();
  reporter.Add(1, first);
  for (int i = 0; i < 10; ++i) reporter.Advanced();
  reporter.Report();
  EXPECT_EQ(first->Take<Progress>(), kMoved);
  EXPECT_TRUE(first->frames.empty());
  reporter.Report();
  EXPECT_EQ(first->Take<Progress>(), kStill);
  reporter.Add(2, second);
  first->room = false;  // It gets no report, and misses none.
  reporter.Report();
  EXPECT_TRUE(first->frames.empty());
  EXPECT_EQ(second->Take<Progress>(), kMoved);
  reporter.Advanced();
  reporter.Report();
  EXPECT_EQ(second->Take<Progress>(), kMoved);
  first->room = true;
  reporter.Report();
  EXPECT_EQ(first->Take<Progress>(), kMoved);
  EXPECT_EQ(second->Take<Progress>(), kStill);
  reporter.Remove(2);
  reporter.Report();
  EXPECT_EQ(first->Take<Progress>(), kStill);
  EXPECT_TRUE(second->frames.empty());
}

// A worker, and a peer to which it owes an answer, with one clock.
class LongPieceTest : public testing::Test {
 protected:
  static constexpr absl::Duration kLease = absl::Milliseconds(300);
  static constexpr absl::Duration kLimit = absl::Seconds(1);

  LongPieceTest() {
    reporter_.Add(1, link_);
    watch_.Asked(1);
  }
  // Advances the time for both. The engine runs inside(), if given; a frozen
  // process does nothing.
  void Pass(absl::Duration time, const std::function<void()>& inside,
            bool frozen = false) {
    const absl::Duration end = clock_.now + time;
    while (clock_.now < end) {
      clock_.now += ProgressReporter::kInterval;
      if (inside) inside();
      if (frozen) continue;
      reporter_.Report();
      watch_.Heard(1, {link_->Take<Progress>()});
    }
  }
  bool Unheard() { return !watch_.UnheardFor(kLease, clock_.now).empty(); }
  bool Silent() { return !watch_.SilentFor(kLimit, clock_.now).empty(); }

  FakeClock clock_;
  std::uint64_t loops_ = 0;
  ProgressReporter reporter_{[this] { return loops_; }};
  AnswerWatch watch_{clock_};
  const std::shared_ptr<FakeLink> link_ = std::make_shared<FakeLink>();
};

TEST_F(LongPieceTest, ALongPieceThatMakesProgressIsNotSilence) {
  for (int i = 0; i < 100; ++i) {
    Pass(kLimit, [this] { ++loops_; });
    EXPECT_FALSE(Silent() || Unheard());
  }
}

TEST_F(LongPieceTest, AnEngineThatHangsIsSilentWithinABoundedTime) {
  Pass(absl::Minutes(1), [this] { ++loops_; });
  Pass(kLimit, nullptr);
  EXPECT_FALSE(Silent());  // It reported the last change.
  Pass(ProgressReporter::kInterval, nullptr);
  EXPECT_TRUE(Silent());
  EXPECT_FALSE(Unheard());  // Its process lives.
  Pass(absl::Minutes(1), nullptr);
  EXPECT_TRUE(Silent());
  Pass(ProgressReporter::kInterval, [this] { ++loops_; });
  EXPECT_FALSE(Silent());  // It was only slow.
}

TEST_F(LongPieceTest, AFrozenProcessIsUnheardAfterALease) {
  Pass(absl::Minutes(1), [this] { ++loops_; });
  Pass(kLease, nullptr, /*frozen=*/true);
  EXPECT_FALSE(Unheard());
  Pass(ProgressReporter::kInterval, nullptr, /*frozen=*/true);
  EXPECT_TRUE(Unheard());
  Pass(ProgressReporter::kInterval, nullptr);
  EXPECT_FALSE(Unheard());
}

TEST_F(LongPieceTest, WaitingForASlowPeerIsNotSilence) {
  // The engine only handles its ticks.
  int looks = 0;
  Pass(absl::Minutes(1), [&] {
    if (++looks % 5 == 0) reporter_.Advanced();
    EXPECT_FALSE(Silent());
  });
}

}  // namespace
}  // namespace apollo

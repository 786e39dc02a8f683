#include "expert_worker/progress_reporter.h"

#include <gtest/gtest.h>

#include "common/fake_clock.h"
#include "link/answer_watch.h"
#include "link/fake_link.h"

namespace apollo {
namespace {

TEST(ProgressReporterTest, ReportsOnEveryLinkWhileTheEngineIsBusyAndAdvances) {
  ProgressReporter reporter;
  const auto first = std::make_shared<FakeLink>();
  const auto second = std::make_shared<FakeLink>();
  reporter.Add(1, first);
  reporter.Add(2, second);
  reporter.Report();
  reporter.Advanced();
  reporter.Report();  // It is idle.
  EXPECT_TRUE(first->frames.empty());
  reporter.SetBusy(true);
  reporter.Report();
  EXPECT_TRUE(first->frames.empty());
  for (int i = 0; i < 10; ++i) reporter.Advanced();
  reporter.Report();
  EXPECT_EQ(first->frames.size(), 1u);
  first->Take<Progress>();
  second->Take<Progress>();
  reporter.Report();  // No change.
  EXPECT_TRUE(first->frames.empty());
  reporter.Remove(2);
  first->room = false;
  reporter.Advanced();
  reporter.Report();
  EXPECT_TRUE(first->frames.empty());
  first->room = true;
  reporter.Advanced();
  reporter.Report();
  first->Take<Progress>();
  EXPECT_TRUE(second->frames.empty());
}

// A worker, and a peer to which it owes an answer, with one clock.
class LongPieceTest : public testing::Test {
 protected:
  LongPieceTest() {
    reporter_.Add(1, link_);
    reporter_.SetBusy(true);
    watch_.Asked(1);
  }
  // Advances the time for both. The engine runs inside(), if given.
  void Pass(absl::Duration time, const std::function<void()>& inside) {
    const absl::Duration end = clock_.now + time;
    while (clock_.now < end) {
      clock_.now += ProgressReporter::kInterval;
      if (inside) inside();
      reporter_.Report();
      if (!link_->frames.empty()) watch_.Progressed(1);
      link_->frames.clear();
    }
  }
  bool Silent() {
    return !watch_.SilentFor(absl::Seconds(1), clock_.now).empty();
  }

  FakeClock clock_;
  std::uint64_t loops_ = 0;
  ProgressReporter reporter_{[this] { return loops_; }};
  AnswerWatch watch_{clock_};
  const std::shared_ptr<FakeLink> link_ = std::make_shared<FakeLink>();
};

TEST_F(LongPieceTest, ALongPieceThatMakesProgressIsNotSilence) {
  for (int i = 0; i < 100; ++i) {
    Pass(absl::Seconds(1), [this] { ++loops_; });
    EXPECT_FALSE(Silent());
  }
}

TEST_F(LongPieceTest, AnEngineThatHangsIsSilentWithinABoundedTime) {
  Pass(absl::Minutes(1), [this] { ++loops_; });
  Pass(absl::Seconds(1), nullptr);
  EXPECT_FALSE(Silent());  // It reported the last change.
  Pass(ProgressReporter::kInterval, nullptr);
  EXPECT_TRUE(Silent());
  Pass(absl::Minutes(1), nullptr);
  EXPECT_TRUE(Silent());
  Pass(ProgressReporter::kInterval, [this] { ++loops_; });
  EXPECT_FALSE(Silent());  // It was only slow.
}

TEST_F(LongPieceTest, WaitingForASlowPeerIsNotSilence) {
  // The engine only handles its ticks.
  int looks = 0;
  Pass(absl::Minutes(1), [&] {
    if (++looks % 3 == 0) reporter_.Advanced();
    EXPECT_FALSE(Silent());
  });
}

}  // namespace
}  // namespace apollo

#include "expert_worker/progress_reporter.h"

#include <gtest/gtest.h>

#include "common/fake_clock.h"
#include "link/fake_link.h"

namespace apollo {
namespace {

TEST(ProgressReporterTest, TellsEveryLinkNowAndThenWhileThereIsWork) {
  FakeClock clock;
  ProgressReporter reporter(clock);
  const auto first = std::make_shared<FakeLink>();
  const auto second = std::make_shared<FakeLink>();
  reporter.Add(1, first);
  reporter.Add(2, second);
  const auto work = [&](int pieces) {
    for (int i = 0; i < pieces; ++i) {
      clock.now += ProgressReporter::kInterval / 10;
      reporter.WorkDone();
    }
  };
  work(1);
  EXPECT_EQ(first->frames.size(), 1u);
  first->Take<Progress>();
  second->Take<Progress>();
  work(9);
  EXPECT_TRUE(first->frames.empty());
  work(1);
  first->Take<Progress>();
  reporter.Remove(2);
  second->frames.clear();
  work(30);
  EXPECT_EQ(first->frames.size(), 3u);
  EXPECT_TRUE(second->frames.empty());
}

}  // namespace
}  // namespace apollo

#include "common/ticker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace apollo {
namespace {

TEST(TickerTest, CallsAgainAndAgain) {
  std::promise<void> third;
  int calls = 0;
  Ticker ticker(absl::Milliseconds(1), [&] {
    if (++calls == 3) third.set_value();
  });
  third.get_future().wait();
}

TEST(TickerTest, IsSilentOnceDestroyed) {
  std::atomic<bool> alive{true};
  std::promise<void> first;
  bool called = false;
  {
    Ticker ticker(absl::Milliseconds(1), [&] {
      EXPECT_TRUE(alive.load());
      if (!std::exchange(called, true)) first.set_value();
    });
    first.get_future().wait();
  }
  alive = false;
}

TEST(TickerTest, EndsAtOnceHoweverLongTheInterval) {
  Ticker ticker(absl::Hours(1), [] { FAIL() << "an hour has not passed"; });
}

}  // namespace
}  // namespace apollo

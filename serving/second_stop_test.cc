#include "serving/second_stop.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "common/stop_request.h"

namespace apollo {
namespace {

TEST(SecondStopDeathTest, ASignalEndsTheProcessAtOnce) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        BlockStopSignals();
        kill(getpid(), SIGTERM);
        if (!TakeStopRequest()) _exit(2);  // The first one.
        const SecondStop second;
        kill(getpid(), SIGTERM);
        for (;;) pause();
      },
      testing::ExitedWithCode(1), "stop_cut_short");
}

}  // namespace
}  // namespace apollo

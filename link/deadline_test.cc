#include "link/deadline.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

using std::chrono::system_clock;

const system_clock::time_point kNow =
    system_clock::time_point() + std::chrono::hours(24 * 365 * 55);

TEST(DeadlineTest, TheTimeThatIsLeftIsTheSame) {
  for (const int seconds : {-3, 0, 5, 100000}) {
    const auto call = kNow + std::chrono::seconds(seconds);
    const absl::Duration on_clock =
        DeadlineOnClock(call, kNow, absl::Seconds(1000));
    EXPECT_EQ(on_clock, absl::Seconds(1000 + seconds));
    EXPECT_EQ(DeadlineOfCall(on_clock, kNow, absl::Seconds(1000)), call);
  }
}

TEST(DeadlineTest, None) {
  EXPECT_EQ(DeadlineOnClock(system_clock::time_point::max(), kNow, {}),
            absl::InfiniteDuration());
  for (const absl::Duration far :
       {absl::InfiniteDuration(), absl::Hours(24 * 365 * 500)}) {
    EXPECT_EQ(DeadlineOfCall(far, kNow, absl::Seconds(7)),
              system_clock::time_point::max());
  }
}

}  // namespace
}  // namespace apollo

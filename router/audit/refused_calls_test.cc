#include "router/audit/refused_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace apollo {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Summary = RefusedCalls::Summary;

constexpr absl::Duration kBegin = absl::Seconds(100);
const absl::Duration kEnd = kBegin + RefusedCalls::kWindow;

TEST(RefusedCallsTest, AFewHaveEntriesAndTheOthersAreCounted) {
  RefusedCalls calls;
  int entries = 0;
  for (int i = 0; i < RefusedCalls::kEntries + 7; ++i) {
    entries += calls.HasEntry("", "UNAUTHENTICATED", kBegin) ? 1 : 0;
  }
  EXPECT_EQ(entries, RefusedCalls::kEntries);
  EXPECT_THAT(calls.TakeOver(kEnd - absl::Milliseconds(1)), IsEmpty());
  EXPECT_THAT(
      calls.TakeOver(kEnd),
      ElementsAre(Summary{"", "UNAUTHENTICATED", 7, RefusedCalls::kWindow}));
  EXPECT_THAT(calls.TakeAll(kEnd), IsEmpty());
  EXPECT_TRUE(calls.HasEntry("", "UNAUTHENTICATED", kEnd));  // A new window.
}

TEST(RefusedCallsTest, CallersAndCodesDoNotShareTheirEntries) {
  RefusedCalls calls;
  while (calls.HasEntry("", "UNAUTHENTICATED", kBegin)) continue;
  EXPECT_TRUE(calls.HasEntry("", "PERMISSION_DENIED", kBegin));
  EXPECT_TRUE(calls.HasEntry("clinic", "UNAUTHENTICATED", kBegin));
}

TEST(RefusedCallsTest, AWindowThatIsNotTakenCountsOn) {
  RefusedCalls calls;
  while (calls.HasEntry("a", "X", kBegin)) continue;
  EXPECT_FALSE(calls.HasEntry("a", "X", 2 * kEnd));
  EXPECT_THAT(calls.TakeOver(2 * kEnd),
              ElementsAre(Summary{"a", "X", 2, 2 * kEnd - kBegin}));
}

// So whoever takes them need not look at all.
TEST(RefusedCallsTest, WindowsAreTakenInTheOrderInWhichTheyBegan) {
  RefusedCalls calls;
  constexpr absl::Duration kApart = absl::Seconds(1);
  while (calls.HasEntry("b", "X", kBegin)) continue;
  while (calls.HasEntry("a", "X", kBegin)) continue;
  while (calls.HasEntry("c", "X", kBegin + kApart)) continue;
  while (calls.HasEntry("", "X", kBegin + 2 * kApart)) continue;
  EXPECT_THAT(calls.TakeOver(kEnd),
              ElementsAre(Summary{"b", "X", 1, RefusedCalls::kWindow},
                          Summary{"a", "X", 1, RefusedCalls::kWindow}));
  // A new window of the same caller comes behind the others.
  while (calls.HasEntry("b", "X", kEnd)) continue;
  EXPECT_THAT(calls.TakeOver(kEnd + kApart),
              ElementsAre(Summary{"c", "X", 1, RefusedCalls::kWindow}));
  EXPECT_THAT(calls.TakeAll(kEnd + 2 * kApart),
              ElementsAre(Summary{"", "X", 1, RefusedCalls::kWindow},
                          Summary{"b", "X", 1, 2 * kApart}));
  EXPECT_THAT(calls.TakeAll(kEnd), IsEmpty());
}

TEST(RefusedCallsTest, WindowsWithoutMoreCallsHaveNoSummary) {
  RefusedCalls calls;
  EXPECT_TRUE(calls.HasEntry("a", "X", kBegin));
  EXPECT_THAT(calls.TakeOver(kEnd), IsEmpty());
  while (calls.HasEntry("b", "X", kEnd)) continue;
  EXPECT_THAT(calls.TakeAll(kEnd),
              ElementsAre(Summary{"b", "X", 1, absl::ZeroDuration()}));
}

}  // namespace
}  // namespace apollo

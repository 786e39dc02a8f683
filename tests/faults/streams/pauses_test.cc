#include "tests/faults/streams/pauses.h"

#include <gtest/gtest.h>

#include "tests/faults/streams/transcript_testing.h"

namespace apollo {
namespace {

// A stream with tokens at these seconds.
Transcript At(const std::vector<double>& seconds) {
  Transcript transcript(0, 1, absl::ZeroDuration());
  transcript.Add(StartedEvent(), absl::ZeroDuration());
  int index = 0;
  for (const double second : seconds) {
    transcript.Add(DeltaEvent(0, index++, {5}), absl::Seconds(second));
  }
  return transcript;
}

TEST(PausesTest, QuantilesAreNearestRanks) {
  Pauses pauses;
  EXPECT_EQ(pauses.Quantile(0.99), absl::ZeroDuration());
  for (int i = 100; i > 0; --i) pauses.Add(absl::Milliseconds(i));
  EXPECT_EQ(pauses.Quantile(0.5), absl::Milliseconds(50));
  EXPECT_EQ(pauses.Quantile(0.99), absl::Milliseconds(99));
  EXPECT_EQ(pauses.longest(), absl::Milliseconds(100));
  EXPECT_EQ(pauses.Quantile(0), absl::Milliseconds(1));
}

TEST(PausesTest, ThePauseAtAFaultIsTheLongestGapAroundIt) {
  const Pauses pauses =
      PausesAt({At({1, 1.1, 1.2, 3, 3.1, 9})}, absl::Seconds(1.15),
               /*reach=*/absl::Seconds(1));
  ASSERT_EQ(pauses.count(), 1);
  EXPECT_NEAR(absl::ToDoubleSeconds(pauses.longest()), 1.8, 1e-6);
}

TEST(PausesTest, StreamsThatDoNotRunThenDoNotCount) {
  EXPECT_EQ(PausesAt({At({1, 2}), At({4, 5}), At({})}, absl::Seconds(3),
                     absl::Seconds(1))
                .count(),
            0);
  EXPECT_EQ(PausesAt({At({1, 5})}, absl::Seconds(3), absl::Seconds(1),
                     [](const Transcript&) { return false; })
                .count(),
            0);
}

TEST(PausesTest, GapsAreThoseThatBeginWithinTheTime) {
  const Pauses gaps =
      GapsWithin({At({1, 2, 4, 7})}, absl::Seconds(2), absl::Seconds(7));
  EXPECT_EQ(gaps.count(), 2);
  EXPECT_EQ(gaps.longest(), absl::Seconds(3));
}

}  // namespace
}  // namespace apollo

#include "clients/cpp/attempts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace apollo::clients {
namespace {

using testing::ElementsAre;

constexpr Retry kLost = {.wanted = true};

Retry After(absl::Duration pause) { return {.wanted = true, .pause = pause}; }

Attempts Of(std::size_t routers, std::size_t first = 0, double random = 1.0) {
  return Attempts({.routers = routers, .first = first, .random = [random] {
                     return random;
                   }});
}

// Returns the pauses of `count` failures in a row.
std::vector<absl::Duration> Pauses(Attempts attempts, int count) {
  std::vector<absl::Duration> pauses;
  for (int i = 0; i < count; ++i) {
    pauses.push_back(attempts.Next(kLost, 100).value());
  }
  return pauses;
}

TEST(AttemptsTest, RoutersAreAskedInTurn) {
  Attempts attempts = Of(3, /*first=*/1);
  EXPECT_EQ(attempts.router(), 1u);
  for (const std::size_t router : {2u, 0u, 1u}) {
    EXPECT_TRUE(attempts.Next(kLost, 100).has_value());
    EXPECT_EQ(attempts.router(), router);
  }
}

TEST(AttemptsTest, PausesDoubleOnceAllRoutersHaveFailed) {
  const absl::Duration none = absl::ZeroDuration();
  EXPECT_THAT(Pauses(Of(1), 7),
              ElementsAre(absl::Milliseconds(200), absl::Milliseconds(400),
                          absl::Milliseconds(800), absl::Milliseconds(1600),
                          absl::Milliseconds(3200), absl::Milliseconds(6400),
                          absl::Seconds(10)));
  EXPECT_THAT(Pauses(Of(2), 4), ElementsAre(none, absl::Milliseconds(200), none,
                                            absl::Milliseconds(400)));
  EXPECT_EQ(Pauses(Of(1, 0, /*random=*/0), 1).front(), absl::Milliseconds(100));
  // However many have failed.
  EXPECT_EQ(Pauses(Of(1), 99).back(), absl::Seconds(10));
}

TEST(AttemptsTest, TheServersPauseIsKept) {
  Attempts attempts = Of(2);
  EXPECT_EQ(attempts.Next(After(absl::Minutes(2)), 100), absl::Minutes(2));
  EXPECT_EQ(attempts.Next(After(absl::ZeroDuration()), 100),
            absl::ZeroDuration());
  EXPECT_EQ(attempts.Next(After(-absl::Seconds(1)), 100), absl::ZeroDuration());
}

TEST(AttemptsTest, AttemptsWithoutProgressAreCounted) {
  Attempts attempts = Of(2);
  EXPECT_TRUE(attempts.Next(kLost, 3).has_value());
  EXPECT_TRUE(attempts.Next(kLost, 3).has_value());
  attempts.Progressed();
  EXPECT_TRUE(attempts.Next(kLost, 3).has_value());
  EXPECT_TRUE(attempts.Next(kLost, 3).has_value());
  EXPECT_EQ(attempts.Next(kLost, 3), std::nullopt);
}

TEST(AttemptsTest, WhatIsNotWantedIsNotRepeated) {
  Attempts attempts = Of(2);
  EXPECT_EQ(attempts.Next({.wanted = false, .pause = absl::Seconds(1)}, 100),
            std::nullopt);
  EXPECT_EQ(attempts.router(), 0u);
}

TEST(AttemptsTest, TheSystemDrawsFromZeroToOne) {
  for (int i = 0; i < 100; ++i) {
    const double drawn = Draw(nullptr);
    EXPECT_GE(drawn, 0.0);
    EXPECT_LT(drawn, 1.0);
  }
  EXPECT_EQ(Draw([] { return 0.25; }), 0.25);
}

}  // namespace
}  // namespace apollo::clients

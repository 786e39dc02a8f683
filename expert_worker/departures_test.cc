#include "expert_worker/departures.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "expert_worker/placement_state.h"

namespace apollo {
namespace {

constexpr absl::Duration kNow = absl::Hours(1);
constexpr absl::Duration kGrace = absl::Seconds(60);
constexpr absl::Duration kMoment = absl::Milliseconds(1);

PlacementPeer Peer(const std::string& name, bool stays) {
  return {name, {1, 2}, stays};
}

// Returns the names of those that are expected back.
std::vector<std::string> Names(const Departures& departures) {
  std::vector<std::string> names;
  for (const auto& [name, resident] : departures.Expected()) {
    names.push_back(name);
  }
  return names;
}

using Strings = std::vector<std::string>;

TEST(DeparturesTest, OnlyWhoHasSaidSoIsExpectedBack) {
  Departures departures(kGrace);
  departures.Update({Peer("a", true), Peer("b", true)}, kNow);
  departures.Announced("a", {1, 2}, kNow);
  departures.Update({}, kNow);  // Both are gone.
  EXPECT_EQ(Names(departures), Strings{"a"});
  EXPECT_EQ(departures.Expected().at("a"), LayerExperts({1, 2}));
}

TEST(DeparturesTest, TheGraceBeginsAgainOnceItIsGone) {
  Departures departures(kGrace);
  departures.Announced("a", {1}, kNow);
  const absl::Duration left = kNow + absl::Seconds(50);
  departures.Update({Peer("a", false)}, left);
  departures.Update({}, left);
  departures.Update({}, left + kGrace - kMoment);
  EXPECT_EQ(Names(departures), Strings{"a"});
  departures.Update({}, left + kGrace);
  EXPECT_EQ(Names(departures), Strings());
}

// As after the administration's Drain, which leaves the process running.
TEST(DeparturesTest, WhoDrainsForLongIsNotExpectedAnyMore) {
  Departures departures(kGrace);
  departures.Announced("a", {1}, kNow);
  departures.Update({Peer("a", false)}, kNow + kGrace - kMoment);
  EXPECT_EQ(Names(departures), Strings{"a"});
  departures.Update({Peer("a", false)}, kNow + kGrace);
  EXPECT_EQ(Names(departures), Strings());
  // Neither by further descriptions nor by its end.
  departures.Announced("a", {1}, kNow + kGrace);
  departures.Update({Peer("a", false)}, kNow + kGrace);
  EXPECT_EQ(Names(departures), Strings());
  departures.Update({}, kNow + kGrace);
  EXPECT_EQ(Names(departures), Strings());
}

TEST(DeparturesTest, WhoIsBackIsNotExpected) {
  Departures departures(kGrace);
  departures.Announced("a", {1}, kNow);
  departures.Update({}, kNow);
  departures.Update({Peer("a", true)}, kNow + kMoment);
  EXPECT_EQ(Names(departures), Strings());
  // If it is gone then without a word, it is lost.
  departures.Update({}, kNow + 2 * kMoment);
  EXPECT_EQ(Names(departures), Strings());
  // The next departure has its own time.
  departures.Announced("a", {1}, kNow + kGrace);
  departures.Update({}, kNow + kGrace);
  departures.Update({}, kNow + 2 * kGrace - kMoment);
  EXPECT_EQ(Names(departures), Strings{"a"});
}

// Its successor may be there before it has ended.
TEST(DeparturesTest, ASuccessorOfTheSameNameCounts) {
  Departures departures(kGrace);
  departures.Announced("a", {1}, kNow);
  departures.Update({Peer("a", false), Peer("a", true)}, kNow);
  EXPECT_EQ(Names(departures), Strings());
}

TEST(DeparturesTest, WithoutAGraceNobodyIsExpectedBack) {
  Departures departures(absl::ZeroDuration());
  departures.Announced("a", {1}, kNow);
  departures.Update({Peer("a", false)}, kNow);
  EXPECT_EQ(Names(departures), Strings());
}

}  // namespace
}  // namespace apollo

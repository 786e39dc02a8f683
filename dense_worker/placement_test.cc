#include "dense_worker/placement.h"

#include <gtest/gtest.h>

#include <map>

namespace apollo {
namespace {

Hello Worker(const char* name, std::set<int> experts) {
  return {WorkerRole::kExpert, name, "hash", "1", std::move(experts)};
}

TEST(PlacementTest, NoWorkerIsUnavailable) {
  Placement placement;
  EXPECT_EQ(placement.Choose(0, 1).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(placement.FirstMissing(2), 0);
}

TEST(PlacementTest, TheFamilysWorkerFirstHoweverBusy) {
  Placement placement;
  placement.Add(1, Worker("a", {0, 1}));
  placement.Add(2, Worker("b", {2}));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(*placement.Choose(2, i), 2u);
  EXPECT_EQ(*placement.Choose(-1, 9), 1u);  // The less busy one.
  placement.Remove(2);
  EXPECT_EQ(*placement.Choose(2, 9), 1u);   // Standby.
  EXPECT_EQ(placement.FirstMissing(3), 2);
}

TEST(PlacementTest, FewestSequencesThenSpreadByHash) {
  Placement placement;
  placement.Add(1, Worker("a", {0}));
  placement.Add(2, Worker("b", {0}));
  const LinkId first = *placement.Choose(0, 5);
  const LinkId second = *placement.Choose(0, 5);
  EXPECT_NE(first, second);
  placement.Release(first);
  EXPECT_EQ(*placement.Choose(0, 5), first);
  // Among equals the key decides, and not always alike.
  std::map<LinkId, int> counts;
  for (int key = 0; key < 100; ++key) {
    Placement fresh;
    fresh.Add(1, Worker("a", {0}));
    fresh.Add(2, Worker("b", {0}));
    ++counts[*fresh.Choose(0, key)];
  }
  EXPECT_GT(counts[1], 20);
  EXPECT_GT(counts[2], 20);
}

TEST(PlacementTest, CoversWhenEveryExpertIsSomewhere) {
  Placement placement;
  placement.Add(1, Worker("a", {0, 2}));
  EXPECT_FALSE(placement.Covers(3));
  placement.Add(2, Worker("b", {1}));
  EXPECT_TRUE(placement.Covers(3));
}

}  // namespace
}  // namespace apollo

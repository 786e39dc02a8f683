#include "dense_worker/placement.h"

#include <gtest/gtest.h>

#include <map>

namespace apollo {
namespace {

Hello Worker(const char* name, std::set<int> experts) {
  return {WorkerRole::kExpert, name, "hash", "1", std::move(experts)};
}

// A worker that reaches all `num_experts` experts.
void AddReaching(Placement& placement, LinkId id, const Hello& worker,
                 int num_experts = 1) {
  placement.Add(id, worker);
  std::set<int> all;
  for (int e = 0; e < num_experts; ++e) all.insert(e);
  placement.SetReach(id, all);
}

TEST(PlacementTest, NoWorkerIsUnavailable) {
  Placement placement(2);
  EXPECT_EQ(placement.Choose(0, 1, 10).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(placement.FirstMissing(), 0);
}

TEST(PlacementTest, TheFamilysWorkerFirstHoweverBusy) {
  Placement placement(3);
  AddReaching(placement, 1, Worker("a", {0, 1}), 3);
  AddReaching(placement, 2, Worker("b", {2}), 3);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(*placement.Choose(2, i, 10), 2u);
  EXPECT_EQ(*placement.Choose(-1, 9, 10), 1u);  // The less busy one.
  placement.Remove(2);
  EXPECT_EQ(*placement.Choose(2, 9, 10), 1u);  // It still reaches expert 2.
}

TEST(PlacementTest, FewestSequencesThenSpreadByHash) {
  Placement placement(1);
  AddReaching(placement, 1, Worker("a", {0}));
  AddReaching(placement, 2, Worker("b", {0}));
  const LinkId first = *placement.Choose(0, 5, 10);
  const LinkId second = *placement.Choose(0, 5, 10);
  EXPECT_NE(first, second);
  placement.Release(first);
  EXPECT_EQ(*placement.Choose(0, 5, 10), first);
  // Among equals the key decides, and not always alike.
  std::map<LinkId, int> counts;
  for (int key = 0; key < 100; ++key) {
    Placement fresh(1);
    AddReaching(fresh, 1, Worker("a", {0}));
    AddReaching(fresh, 2, Worker("b", {0}));
    ++counts[*fresh.Choose(0, key, 10)];
  }
  EXPECT_GT(counts[1], 20);
  EXPECT_GT(counts[2], 20);
}

TEST(PlacementTest, OnlyWorkersWhoseCacheHoldsTheSequence) {
  Placement placement(1);
  Hello small = Worker("a", {0});
  small.cache_tokens = 100;
  AddReaching(placement, 1, small);
  EXPECT_EQ(*placement.Choose(0, 1, 100), 1u);
  const absl::Status status = placement.Choose(0, 1, 101).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "prompt and answer together may take 101 tokens, but the cache of "
            "the expert workers holds 100; ask for fewer: trying again cannot "
            "help");
  AddReaching(placement, 2, Worker("b", {0}));  // Did not say.
  EXPECT_EQ(*placement.Choose(0, 1, 101), 2u);
}

TEST(PlacementTest, AWorkerThatIsLargeEnoughMayBeInReachAgain) {
  Placement placement(1);
  Hello worker = Worker("a", {0});
  worker.cache_tokens = 100;
  AddReaching(placement, 1, worker);
  worker.cache_tokens = 200;
  placement.Add(2, worker);
  EXPECT_EQ(placement.MostTokens(), 100);
  EXPECT_EQ(placement.Choose(0, 1, 150).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(placement.Choose(0, 1, 250).status().code(),
            absl::StatusCode::kFailedPrecondition);
  placement.SetReach(2, {0});
  EXPECT_EQ(*placement.Choose(0, 1, 150), 2u);
}

TEST(PlacementTest, TheLargestCacheIsKnownOnceAllHaveSaid) {
  Placement placement(1);
  EXPECT_EQ(placement.MostTokens(), 0);
  Hello worker = Worker("a", {0});
  worker.cache_tokens = 100;
  AddReaching(placement, 1, worker);
  worker.cache_tokens = 300;
  AddReaching(placement, 2, worker);
  EXPECT_EQ(placement.MostTokens(), 300);
  AddReaching(placement, 3, Worker("c", {1}));
  EXPECT_EQ(placement.MostTokens(), 0);
}

TEST(PlacementTest, OnlyWorkersThatReachEveryExpert) {
  Placement placement(3);
  placement.Add(1, Worker("a", {0, 2}));
  placement.Add(2, Worker("b", {1}));
  EXPECT_EQ(placement.FirstMissing(), 0);  // Their engines have not spoken.
  EXPECT_FALSE(placement.Takes(1));
  // They have, but have not found each other.
  placement.SetReach(1, {0, 2});
  placement.SetReach(2, {1});
  EXPECT_FALSE(placement.Covers());
  EXPECT_EQ(placement.FirstMissing(), 1);
  const absl::Status status = placement.Choose(0, 1, 10).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("expert 1"), std::string::npos) << status;
  placement.SetReach(2, {0, 1, 2});
  EXPECT_TRUE(placement.Covers());
  EXPECT_EQ(placement.FirstMissing(), -1);
  EXPECT_EQ(*placement.Choose(0, 1, 10), 2u);  // Not where expert 0 is.
  placement.SetReach(1, {0, 1, 2});
  EXPECT_EQ(*placement.Choose(0, 1, 10), 1u);
  placement.SetReach(1, {});  // About to stop.
  EXPECT_EQ(*placement.Choose(0, 1, 10), 2u);
}

TEST(PlacementTest, AWorkerThatLeavesKeepsItsSequencesAndGetsNoOthers) {
  Placement placement(1);
  AddReaching(placement, 1, Worker("a", {0}));
  ASSERT_EQ(*placement.Choose(0, 1, 10), 1u);
  placement.SetLeaving(1, true);
  EXPECT_FALSE(placement.Takes(1));
  EXPECT_FALSE(placement.Covers());
  EXPECT_EQ(placement.Choose(0, 2, 10).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(placement.Left(), std::vector<LinkId>{});
  placement.Release(1);
  EXPECT_EQ(placement.Left(), std::vector<LinkId>{1});
  placement.SetLeaving(1, false);
  EXPECT_EQ(placement.Left(), std::vector<LinkId>{});
  EXPECT_EQ(*placement.Choose(0, 3, 10), 1u);
}

TEST(PlacementTest, ASilentWorkerIsTheLastResort) {
  Placement placement(1);
  AddReaching(placement, 1, Worker("a", {0}));
  AddReaching(placement, 2, Worker("b", {0}));
  placement.SetSilent(1, true);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(*placement.Choose(0, i, 10), 2u);
  placement.SetSilent(2, true);
  EXPECT_EQ(*placement.Choose(0, 9, 10), 1u);
  placement.SetSilent(1, false);
  EXPECT_EQ(*placement.Choose(0, 9, 10), 1u);
  placement.SetSilent(3, true);  // Not there.
}

}  // namespace
}  // namespace apollo

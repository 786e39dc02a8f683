#include "dense_worker/expert_workers.h"

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sequence/block_hash.h"

namespace apollo {
namespace {

WorkerInfo Worker(const char* name, std::set<int> experts) {
  return {WorkerRole::kExpert, name, "hash", "1", std::move(experts)};
}

// Two sparse layers with that many experts each.
SparseShape Experts(int count) { return {2, 4, count}; }

// Reports the experts that the worker reaches; with none, the worker is
// draining.
void SetReach(ExpertWorkers& workers, LinkId id, std::set<int> experts) {
  WorkerInfo info = workers.info(id);
  info.draining = experts.empty();
  info.reaches = std::move(experts);
  info.ready = true;
  ++info.revision;
  workers.Update(id, info);
}

// A worker that reaches all `num_experts` experts.
void AddReaching(ExpertWorkers& workers, LinkId id, const WorkerInfo& worker,
                 int num_experts = 1) {
  workers.Add(id, worker, nullptr);
  std::set<int> all;
  for (int e = 0; e < num_experts; ++e) all.insert(e);
  SetReach(workers, id, all);
}

TEST(ExpertWorkersTest, NoWorkerIsUnavailable) {
  ExpertWorkers workers(Experts(2));
  EXPECT_EQ(workers.Choose({0, 1, 10}).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_FALSE(workers.Covers());
}

TEST(ExpertWorkersTest, WithoutExpertsSequencesAreShared) {
  ExpertWorkers workers(Experts(0));
  workers.Add(1, Worker("a", {}), nullptr);
  workers.Add(2, Worker("b", {}), nullptr);
  const absl::Status none = workers.Choose({-1, 1, 10}).status();
  EXPECT_EQ(none.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(none.message(),
            "no expert worker is ready for new sequences; try again");
  EXPECT_FALSE(workers.Covers());
  for (const LinkId id : {1, 2}) {
    WorkerInfo info = workers.info(id);
    info.ready = true;
    ++info.revision;
    workers.Update(id, info);
  }
  EXPECT_TRUE(workers.Covers());
  const LinkId first = *workers.Choose({-1, 5, 10});
  EXPECT_NE(*workers.Choose({-1, 5, 10}), first);
}

TEST(ExpertWorkersTest, TheWorkerOfTheFamilyFirst) {
  ExpertWorkers workers(Experts(3));
  AddReaching(workers, 1, Worker("a", {0, 1}), 3);
  AddReaching(workers, 2, Worker("b", {2}), 3);
  for (std::uint64_t i = 0; i < 5; ++i)
    EXPECT_EQ(*workers.Choose({2, i, 10}), 2u);
  EXPECT_EQ(*workers.Choose({-1, 9, 10}), 1u);  // The less busy one.
  workers.Remove(2);
  EXPECT_EQ(*workers.Choose({2, 9, 10}), 1u);  // It still reaches expert 2.
}

// Three workers that reach all of three experts, of which each has one.
ExpertWorkers ThreeWorkers(Pinning pinning) {
  ExpertWorkers workers(Experts(3), pinning);
  AddReaching(workers, 1, Worker("a", {0}), 3);
  AddReaching(workers, 2, Worker("b", {1}), 3);
  AddReaching(workers, 3, Worker("c", {2}), 3);
  return workers;
}

TEST(ExpertWorkersTest, ManyClientsOfOneLanguageAreSpread) {
  ExpertWorkers workers = ThreeWorkers(Pinning::kPrefer);
  std::map<LinkId, int> counts;
  for (std::uint64_t key = 0; key < 32; ++key) {
    ++counts[*workers.Choose({.family = 1, .key = key, .rows = 40})];
  }
  EXPECT_EQ(counts[2], 16);
  EXPECT_EQ(counts[1], 8);
  EXPECT_EQ(counts[3], 8);
  // Once its answers are over, the language is at home again.
  for (std::uint64_t key = 0; key < 32; ++key) workers.Release(2, key);
  EXPECT_EQ(*workers.Choose({.family = 1, .key = 99, .rows = 40}), 2u);
}

TEST(ExpertWorkersTest, StrictlyPinnedSequencesNeedTheirExpertInMemory) {
  ExpertWorkers workers = ThreeWorkers(Pinning::kStrict);
  for (std::uint64_t key = 0; key < 32; ++key) {
    EXPECT_EQ(*workers.Choose({.family = 1, .key = key, .rows = 40}), 2u);
  }
  workers.Remove(2);
  const absl::Status status = workers.Choose({.family = 1, .key = 99}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(),
            "none of the 2 expert workers that take sequences has expert 1 of "
            "the language's family in memory, and --pinning=strict allows no "
            "other; try again");
  EXPECT_TRUE(workers.Choose({.family = -1, .key = 99}).ok());
  // A model without experts has nothing to pin.
  ExpertWorkers dense(Experts(0), Pinning::kStrict);
  WorkerInfo ready = Worker("a", {});
  ready.ready = true;
  dense.Add(1, ready, nullptr);
  EXPECT_EQ(*dense.Choose({.family = 1, .key = 99}), 1u);
}

TEST(ExpertWorkersTest, FewestSequencesThenSpreadByHash) {
  ExpertWorkers workers(Experts(1));
  AddReaching(workers, 1, Worker("a", {0}));
  AddReaching(workers, 2, Worker("b", {0}));
  const LinkId first = *workers.Choose({0, 5, 10});
  const LinkId second = *workers.Choose({0, 5, 10});
  EXPECT_NE(first, second);
  workers.Release(first, 5);
  EXPECT_EQ(*workers.Choose({0, 5, 10}), first);
  // The key breaks ties, and not always in favour of the same worker.
  std::map<LinkId, int> counts;
  for (std::uint64_t key = 0; key < 100; ++key) {
    ExpertWorkers fresh(Experts(1));
    AddReaching(fresh, 1, Worker("a", {0}));
    AddReaching(fresh, 2, Worker("b", {0}));
    ++counts[*fresh.Choose({0, key, 10})];
  }
  EXPECT_GT(counts[1], 20);
  EXPECT_GT(counts[2], 20);
}

TEST(ExpertWorkersTest, OnlyWorkersWhoseCacheHoldsTheSequence) {
  ExpertWorkers workers(Experts(1));
  WorkerInfo small = Worker("a", {0});
  small.cache_tokens = 100;
  AddReaching(workers, 1, small);
  EXPECT_EQ(*workers.Choose({0, 1, 100}), 1u);
  const absl::Status status = workers.Choose({0, 1, 101}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "prompt and answer together may take 101 tokens, but the cache of "
            "the expert workers holds 100; request fewer tokens: a retry would "
            "fail too");
  AddReaching(workers, 2, Worker("b", {0}));  // Did not report its capacity.
  EXPECT_EQ(*workers.Choose({0, 1, 101}), 2u);
}

TEST(ExpertWorkersTest, ALargeEnoughWorkerMayReachEveryExpertLater) {
  ExpertWorkers workers(Experts(1));
  WorkerInfo worker = Worker("a", {0});
  worker.cache_tokens = 100;
  AddReaching(workers, 1, worker);
  worker.cache_tokens = 200;
  workers.Add(2, worker, nullptr);
  EXPECT_EQ(workers.MostTokens(), 100);
  const absl::Status status = workers.Choose({0, 1, 150}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(),
            "no live expert worker reaches expert 0 of layer 2; try again");
  EXPECT_EQ(workers.Choose({0, 1, 250}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  SetReach(workers, 2, {0});
  EXPECT_EQ(*workers.Choose({0, 1, 150}), 2u);
}

TEST(ExpertWorkersTest, TheLargestCacheIsKnownOnceAllHaveReported) {
  ExpertWorkers workers(Experts(1));
  EXPECT_EQ(workers.MostTokens(), 0);
  WorkerInfo worker = Worker("a", {0});
  worker.cache_tokens = 100;
  AddReaching(workers, 1, worker);
  worker.cache_tokens = 300;
  AddReaching(workers, 2, worker);
  EXPECT_EQ(workers.MostTokens(), 300);
  AddReaching(workers, 3, Worker("c", {1}));
  EXPECT_EQ(workers.MostTokens(), 0);
}

TEST(ExpertWorkersTest, TheErrorNamesTheLargestCacheWhicheverWorkerHasIt) {
  for (const auto& [first, second] : {std::pair(300, 100), {100, 300}}) {
    ExpertWorkers workers(Experts(1));
    WorkerInfo worker = Worker("a", {0});
    worker.cache_tokens = first;
    AddReaching(workers, 1, worker);
    worker.name = "b";
    worker.cache_tokens = second;
    AddReaching(workers, 2, worker);
    const absl::Status refused = workers.Choose({0, 1, 400}).status();
    EXPECT_NE(refused.message().find("holds 300"), absl::string_view::npos)
        << refused;
  }
}

TEST(ExpertWorkersTest, OnlyWorkersThatReachEveryExpert) {
  ExpertWorkers workers(Experts(3));
  workers.Add(1, Worker("a", {0, 2}), nullptr);
  workers.Add(2, Worker("b", {1}), nullptr);
  EXPECT_FALSE(workers.Covers());  // Their engines have not reported.
  EXPECT_FALSE(workers.Takes(1));
  // They have reported, but have not found each other.
  SetReach(workers, 1, {0, 2});
  SetReach(workers, 2, {1});
  EXPECT_FALSE(workers.Covers());
  const absl::Status status = workers.Choose({0, 1, 10}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("expert 1"), std::string::npos) << status;
  SetReach(workers, 2, {0, 1, 2});
  EXPECT_TRUE(workers.Covers());
  EXPECT_EQ(*workers.Choose({0, 1, 10}), 2u);  // The other one has expert 0.
  SetReach(workers, 1, {0, 1, 2});
  EXPECT_EQ(*workers.Choose({0, 1, 10}), 1u);
  SetReach(workers, 1, {});  // Draining.
  EXPECT_EQ(*workers.Choose({0, 1, 10}), 2u);
}

TEST(ExpertWorkersTest, OnlyWorkersWithTheSameNumerics) {
  ExpertWorkers workers(Experts(1));
  WorkerInfo cpu = Worker("a", {0});
  cpu.numerics = "cpu/int8/f16/1";
  WorkerInfo gpu = Worker("b", {0});
  gpu.numerics = "cuda/int8/f16/1";
  AddReaching(workers, 1, cpu);
  AddReaching(workers, 2, gpu);
  for (std::uint64_t key = 0; key < 10; ++key) {
    EXPECT_EQ(*workers.Choose({0, key, 10, 0, "cpu/int8/f16/1"}), 1u);
    EXPECT_EQ(*workers.Choose({0, key, 10, 0, "cuda/int8/f16/1"}), 2u);
  }
  workers.Remove(1);
  const absl::Status status =
      workers.Choose({0, 1, 10, 0, "cpu/int8/f16/1"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  for (const char* id : {"cpu/int8/f16/1", "cuda/int8/f16/1"}) {
    EXPECT_NE(status.message().find(id), std::string::npos) << status;
  }
  EXPECT_EQ(*workers.Choose({0, 1, 10}), 2u);  // A new sequence.
}

// Reports the load of the worker.
void SetLoad(ExpertWorkers& workers, LinkId id, int queued, int running) {
  WorkerInfo info = workers.info(id);
  info.queued_rows = queued;
  info.running_sequences = running;
  ++info.revision;
  workers.Update(id, info);
}

// Workers of the previous wire version send no numerics id.
TEST(ExpertWorkersTest, NoNumericsIdEqualsOnlyNoId) {
  ExpertWorkers workers(Experts(1));
  AddReaching(workers, 1, Worker("old", {0}));
  WorkerInfo today = Worker("today", {0});
  today.numerics = "cpu/int8/f16/1";
  AddReaching(workers, 2, today);
  for (std::uint64_t key = 0; key < 10; ++key) {
    EXPECT_EQ(*workers.Choose({0, key, 10, 0, ""}), 1u);
    EXPECT_EQ(*workers.Choose({0, key, 10, 0, "cpu/int8/f16/1"}), 2u);
  }
  AddReaching(workers, 3, Worker("older", {0}));
  EXPECT_EQ(*workers.Choose({0, 99, 10, 0, ""}), 3u);
  workers.Remove(1);
  workers.Remove(3);
  const absl::Status status = workers.Choose({0, 1, 10, 0, ""}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(
      status.message(),
      "the sequence runs with numerics that its worker did not report, but "
      "the remaining expert workers have cpu/int8/f16/1, which may give "
      "other tokens; try again");
}

TEST(ExpertWorkersTest, NewOptionsGoToWorkersThatKnowThem) {
  ExpertWorkers workers(Experts(1));
  WorkerInfo old = Worker("a", {0});
  old.sequence_options = 0;
  AddReaching(workers, 1, old);
  ExpertWorkers::Wanted wanted = {0, 5, 10};
  EXPECT_EQ(*workers.Choose(wanted), 1u);
  wanted.new_options = true;
  const absl::Status status = workers.Choose(wanted).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("older version"), std::string::npos);
  AddReaching(workers, 2, Worker("b", {0}));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(*workers.Choose(wanted), 2u);
}

TEST(ExpertWorkersTest, TheLeastReportedLoad) {
  ExpertWorkers workers(Experts(1));
  AddReaching(workers, 1, Worker("a", {0}));
  AddReaching(workers, 2, Worker("b", {0}));
  for (std::uint64_t key = 0; key < 20; ++key) {
    SetLoad(workers, 1, 0, 3);  // Sequences of other dense workers.
    SetLoad(workers, 2, 0, 2);
    EXPECT_EQ(*workers.Choose({0, key, 10, 5}), 2u);
    SetLoad(workers, 2, 4, 0);
    EXPECT_EQ(*workers.Choose({0, key + 100, 10, 5}), 1u);
    workers.Release(2, key);
    workers.Release(1, key + 100);
  }
}

TEST(ExpertWorkersTest, ABurstDoesNotAllLandOnTheLeastLoaded) {
  ExpertWorkers workers(Experts(1));
  AddReaching(workers, 1, Worker("a", {0}));
  AddReaching(workers, 2, Worker("b", {0}));
  SetLoad(workers, 1, 30, 0);
  SetLoad(workers, 2, 0, 0);
  std::string order;
  for (std::uint64_t key = 0; key < 8; ++key) {
    absl::StrAppend(&order, *workers.Choose({0, key, 100, 9}));
  }
  // Each brings 10 rows: from the fourth on, both workers are equal in turn.
  EXPECT_EQ(order, "22212121");
  // The report includes them all: now the second worker is busier.
  SetLoad(workers, 1, 0, 1);
  SetLoad(workers, 2, 90, 3);
  EXPECT_EQ(*workers.Choose({0, 8, 100, 9}), 1u);
}

TEST(ExpertWorkersTest, EndedSequencesDoNotCountEvenBeforeTheNextReport) {
  ExpertWorkers workers(Experts(1));
  AddReaching(workers, 1, Worker("a", {0}));
  AddReaching(workers, 2, Worker("b", {0}));
  SetLoad(workers, 2, 0, 1);
  for (std::uint64_t key = 0; key < 10; ++key) {
    EXPECT_EQ(*workers.Choose({0, key, 10, 5}), 1u);
    workers.Release(1, key);
  }
}

TEST(ExpertWorkersTest, AReportWithoutWorkInFlightDoesNotHideIt) {
  ExpertWorkers workers(Experts(1));
  AddReaching(workers, 1, Worker("a", {0}));
  AddReaching(workers, 2, Worker("b", {0}));
  SetLoad(workers, 2, 0, 3);
  for (std::uint64_t key = 0; key < 3; ++key) {
    EXPECT_EQ(*workers.Choose({0, key, 10}), 1u);
    SetLoad(workers, 1, 0, 0);  // Sent before any of them arrived.
  }
  SetLoad(workers, 2, 0, 2);
  EXPECT_EQ(*workers.Choose({0, 9, 10}), 2u);
}

TEST(ExpertWorkersTest, ResidencyIsByLayer) {
  ExpertWorkers workers(Experts(2));
  WorkerInfo half = Worker("a", {});
  half.resident.in_layer[3] = {1};
  AddReaching(workers, 1, half, 2);
  AddReaching(workers, 2, Worker("b", {1}), 2);
  AddReaching(workers, 3, Worker("c", {0}), 2);
  for (std::uint64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(*workers.Choose({1, i, 10}), 2u);
  }
  workers.Remove(2);
  EXPECT_EQ(*workers.Choose({1, 9, 10}), 1u);
}

TEST(ExpertWorkersTest, AnErrorNamesTheLayerAndTheExpertOutOfReach) {
  ExpertWorkers workers(Experts(2));
  const auto set_reach = [&](LinkId id, std::map<int, std::set<int>> layers) {
    WorkerInfo info = workers.info(id);
    info.ready = true;
    info.reaches = LayerExperts();
    info.reaches.in_layer = std::move(layers);
    ++info.revision;
    workers.Update(id, info);
  };
  workers.Add(1, Worker("a", {0}), nullptr);
  set_reach(1, {{2, {0, 1}}, {3, {0}}});
  absl::Status status = workers.Choose({0, 1, 10}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(),
            "no live expert worker reaches expert 1 of layer 3; try again");
  workers.Add(2, Worker("b", {1}), nullptr);
  set_reach(2, {{2, {1}}, {3, {1}}});
  status = workers.Choose({0, 1, 10}).status();
  EXPECT_EQ(status.message(),
            "no live expert worker reaches all experts, itself or through its "
            "peers: \"a\" lacks expert 1 of layer 3; try again");
  EXPECT_FALSE(workers.Covers());
  set_reach(2, {{2, {0, 1}}, {3, {0, 1}}});
  EXPECT_EQ(*workers.Choose({0, 1, 10}), 2u);
}

TEST(ExpertWorkersTest, AnOlderRevisionIsIgnored) {
  ExpertWorkers workers(Experts(1));
  AddReaching(workers, 1, Worker("a", {0}));
  WorkerInfo late = workers.info(1);
  --late.revision;
  late.draining = true;
  workers.Update(1, late);
  EXPECT_TRUE(workers.Takes(1));
}

TEST(ExpertWorkersTest, ASilentWorkerIsTheLastResort) {
  ExpertWorkers workers(Experts(1));
  AddReaching(workers, 1, Worker("a", {0}));
  AddReaching(workers, 2, Worker("b", {0}));
  workers.SetSilent(1, true);
  for (std::uint64_t i = 0; i < 5; ++i)
    EXPECT_EQ(*workers.Choose({0, i, 10}), 2u);
  workers.SetSilent(2, true);
  EXPECT_EQ(*workers.Choose({0, 9, 10}), 1u);
  workers.SetSilent(1, false);
  EXPECT_EQ(*workers.Choose({0, 9, 10}), 1u);
  workers.SetSilent(3, true);  // Unknown.
}

TEST(ExpertWorkersTest, ALeavingWorkerGetsNoNewSequences) {
  ExpertWorkers workers(Experts(1));
  AddReaching(workers, 1, Worker("a", {0}));
  EXPECT_EQ(*workers.Choose({0, 1, 10}), 1u);
  workers.SetLeaving(1, true);
  EXPECT_FALSE(workers.Takes(1));
  EXPECT_FALSE(workers.Covers());
  EXPECT_EQ(workers.MostTokens(), 0);
  EXPECT_EQ(workers.Choose({0, 1, 10}).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_FALSE(workers.HasLeft(1));
  workers.Release(1, 1);
  EXPECT_TRUE(workers.HasLeft(1));
  workers.SetLeaving(1, false);
  EXPECT_FALSE(workers.HasLeft(1));
  EXPECT_EQ(*workers.Choose({0, 1, 10}), 1u);
  workers.SetLeaving(3, true);  // Unknown.
  EXPECT_FALSE(workers.HasLeft(3));
}

// Hashes of the first blocks of a sequence.
std::vector<BlockHash> Blocks(int count) {
  std::vector<BlockHash> hashes;
  for (int i = 0; i < count; ++i) {
    hashes.push_back({{static_cast<std::uint8_t>(i + 1)}});
  }
  return hashes;
}

TEST(ExpertWorkersTest, WhatAWorkerHoldsIsBelievedWithinItsCache) {
  ExpertWorkers workers(Experts(1));
  WorkerInfo keeper = Worker("a", {0}), older = Worker("b", {0});
  keeper.keeps_prefixes = true;
  keeper.cache_tokens = 3 * kHashedTokens;
  AddReaching(workers, 1, keeper);
  AddReaching(workers, 2, older);
  EXPECT_TRUE(workers.AnyKeepsPrefixes());
  EXPECT_TRUE(workers.KeepsPrefixes(1));
  EXPECT_FALSE(workers.KeepsPrefixes(2));
  EXPECT_FALSE(workers.KeepsPrefixes(9));
  const std::vector<BlockHash> blocks = Blocks(5);
  for (const LinkId id : {1, 2, 9}) workers.NoteHeld(id, blocks);
  EXPECT_EQ(workers.Held(1, blocks), 3);
  EXPECT_EQ(workers.Held(2, blocks), 0);
  EXPECT_EQ(workers.Held(9, blocks), 0);
  for (const LinkId id : {1, 2, 9}) {
    workers.NoteMissing(id, std::span(blocks).subspan(1));
  }
  EXPECT_EQ(workers.Held(1, blocks), 1);
  workers.Remove(1);
  EXPECT_FALSE(workers.AnyKeepsPrefixes());
  AddReaching(workers, 1, keeper);
  EXPECT_EQ(workers.Held(1, blocks), 0);
}

TEST(ExpertWorkersTest, ASequenceGoesToTheWorkerThatHoldsIt) {
  ExpertWorkers workers(Experts(1));
  for (const LinkId id : {1, 2, 3}) {
    WorkerInfo keeper = Worker(absl::StrCat("e", id).c_str(), {0});
    keeper.keeps_prefixes = true;
    AddReaching(workers, id, keeper);
  }
  const std::vector<BlockHash> blocks = Blocks(4);
  workers.NoteHeld(2, blocks);
  for (std::uint64_t key = 0; key < 20; ++key) {
    const auto chosen = workers.Choose(
        {.key = key, .tokens = 100, .rows = 70, .blocks = blocks});
    EXPECT_EQ(*chosen, 2u);
    workers.Release(2, key);
  }
}

}  // namespace
}  // namespace apollo

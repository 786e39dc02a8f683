#include "link/expert_directory.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace apollo {
namespace {

using Links = std::vector<LinkId>;

WorkerInfo Ready(const std::string& name, std::set<int> experts) {
  WorkerInfo info;
  info.role = WorkerRole::kExpert;
  info.name = name;
  info.resident = std::move(experts);
  info.ready = true;
  info.revision = 1;
  return info;
}

TEST(ExpertDirectoryTest, ReturnsAllHoldersOfAnExpert) {
  ExpertDirectory directory;
  EXPECT_EQ(directory.Holders(3, 0, ""), Links{});
  directory.Update(1, Ready("a", {0, 1}));
  directory.Update(2, Ready("b", {1, 2}));
  EXPECT_EQ(directory.Holders(3, 0, ""), Links{1});
  EXPECT_EQ(directory.Holders(3, 1, ""), (Links{1, 2}));
  EXPECT_EQ(directory.Holders(3, 4, ""), Links{});
  directory.Remove(1);
  EXPECT_EQ(directory.Holders(3, 0, ""), Links{});
}

TEST(ExpertDirectoryTest, WithoutExpertsEveryReadyExpertWorkerTakesSequences) {
  ExpertDirectory directory(SparseShape{3, 4, 0});
  WorkerInfo worker = Ready("a", {}), starting = Ready("b", {}),
             dense = Ready("c", {}), draining = Ready("d", {});
  starting.ready = false;
  dense.role = WorkerRole::kDense;
  draining.draining = true;
  directory.Update(1, worker);
  directory.Update(2, starting);
  directory.Update(3, dense);
  directory.Update(4, draining);
  EXPECT_TRUE(directory.TakesSequences(1));
  EXPECT_FALSE(directory.TakesSequences(2));
  EXPECT_FALSE(directory.TakesSequences(3));
  EXPECT_FALSE(directory.TakesSequences(4));
  EXPECT_EQ(directory.FirstMissing({}), std::nullopt);
}

TEST(ExpertDirectoryTest, ExpertsMayDifferByLayer) {
  ExpertDirectory directory;
  WorkerInfo info = Ready("a", {0});
  info.resident.in_layer[5] = {1};
  directory.Update(1, info);
  EXPECT_EQ(directory.Holders(4, 1, ""), Links{});
  EXPECT_EQ(directory.Holders(5, 1, ""), Links{1});
  EXPECT_EQ(directory.Holders(5, 0, ""), Links{1});
}

TEST(ExpertDirectoryTest, TheLeastBusyComesFirst) {
  ExpertDirectory directory;
  WorkerInfo a = Ready("a", {0}), b = Ready("b", {0}), c = Ready("c", {0});
  a.queued_rows = 10;
  b.queued_rows = 5;
  b.running_sequences = 7;
  c.queued_rows = 5;
  c.running_sequences = 6;
  directory.Update(1, a);
  directory.Update(2, b);
  directory.Update(3, c);
  directory.Update(5, Ready("e", {0}));
  // Loads of 0, 10, 11 and 12.
  EXPECT_EQ(directory.Holders(0, 0, ""), (Links{5, 1, 3, 2}));
}

// Otherwise the first name would get the rows of all callers.
TEST(ExpertDirectoryTest, IdleHoldersShareCallersWithDifferentKeys) {
  ExpertDirectory directory;
  for (LinkId id = 1; id <= 4; ++id) {
    directory.Update(id, Ready("w" + std::to_string(id), {0}));
  }
  std::map<LinkId, int> firsts;
  for (std::uint64_t key = 0; key < 400; ++key) {
    const Links holders = directory.Holders(0, 0, "", key);
    EXPECT_EQ(holders, directory.Holders(0, 0, "", key));
    ASSERT_EQ(holders.size(), 4u);
    ++firsts[holders.front()];
  }
  for (LinkId id = 1; id <= 4; ++id) EXPECT_GT(firsts[id], 50) << id;
}

TEST(ExpertDirectoryTest, DrainingWorkersComeLast) {
  ExpertDirectory directory;
  WorkerInfo stopping = Ready("a", {0});
  stopping.draining = true;
  directory.Update(1, stopping);
  EXPECT_EQ(directory.Holders(0, 0, ""), Links{1});
  EXPECT_FALSE(directory.Stays(0, 0, ""));
  WorkerInfo busy = Ready("b", {0});
  busy.queued_rows = 1000;
  directory.Update(2, busy);
  EXPECT_EQ(directory.Holders(0, 0, ""), (Links{2, 1}));
  EXPECT_TRUE(directory.Stays(0, 0, ""));
  directory.SetLeaving(2, true);
  EXPECT_EQ(directory.Holders(0, 0, ""), (Links{1, 2}));
  EXPECT_FALSE(directory.Stays(0, 0, ""));
  directory.SetLeaving(2, false);
  EXPECT_TRUE(directory.Stays(0, 0, ""));
}

TEST(ExpertDirectoryTest, AnOlderRevisionIsIgnored) {
  ExpertDirectory directory;
  WorkerInfo info = Ready("a", {0});
  info.revision = 5;
  EXPECT_TRUE(directory.Update(1, info));
  info.resident = std::set<int>{1};
  EXPECT_FALSE(directory.Update(1, info));
  info.revision = 4;
  EXPECT_FALSE(directory.Update(1, info));
  EXPECT_EQ(directory.Holders(0, 0, ""), Links{1});
  info.revision = 6;
  EXPECT_TRUE(directory.Update(1, info));
  EXPECT_EQ(directory.Holders(0, 0, ""), Links{});
}

TEST(ExpertDirectoryTest, OnlyReadyExpertWorkersHoldAnything) {
  ExpertDirectory directory;
  WorkerInfo hello = Ready("a", {0});
  hello.ready = false;
  hello.revision = 0;
  directory.Update(1, hello);
  WorkerInfo dense = Ready("d", {0});
  dense.role = WorkerRole::kDense;
  directory.Update(2, dense);
  EXPECT_EQ(directory.Holders(0, 0, ""), Links{});
  directory.Update(1, Ready("a", {0}));
  EXPECT_EQ(directory.Holders(0, 0, ""), Links{1});
}

TEST(ExpertDirectoryTest, OnlyWorkersWithTheSameNumerics) {
  ExpertDirectory directory;
  WorkerInfo other = Ready("a", {0});
  other.numerics = "cuda/int8/f16/1";
  directory.Update(1, other);
  WorkerInfo same = Ready("b", {0});
  same.numerics = "cpu/int8/f16/1";
  directory.Update(2, same);
  directory.Update(3, Ready("c", {0}));  // Of the version without ids.
  EXPECT_EQ(directory.Holders(0, 0, "cpu/int8/f16/1"), Links{2});
  EXPECT_EQ(directory.Holders(0, 0, ""), Links{3});
  directory.Remove(2);
  EXPECT_FALSE(directory.Stays(0, 0, "cpu/int8/f16/1"));
  EXPECT_TRUE(directory.Stays(0, 0, "cuda/int8/f16/1"));
}

TEST(ExpertDirectoryTest, AssignedWorkCountsUntilTheNextReport) {
  ExpertDirectory directory;
  WorkerInfo a = Ready("a", {0});
  a.queued_rows = 3;
  a.running_sequences = 2;
  directory.Update(1, a);
  directory.Update(2, Ready("b", {0}));
  EXPECT_EQ(directory.Load(1), 5);
  EXPECT_EQ(directory.Load(2), 0);
  directory.Assign(2, /*key=*/7, {1, 6});
  directory.Assign(2, /*key=*/8, {0, 4});
  EXPECT_EQ(directory.Load(2), 11);
  EXPECT_EQ(directory.Holders(0, 0, ""), (Links{1, 2}));
  directory.Withdraw(2, 7);
  EXPECT_EQ(directory.Load(2), 4);
  EXPECT_EQ(directory.Holders(0, 0, ""), (Links{2, 1}));
  directory.Withdraw(2, 7);  // Withdrawn already.
  directory.Withdraw(9, 8);  // An unknown worker.
  directory.Assign(9, 8, {1, 1});
  EXPECT_EQ(directory.Load(2), 4);
  WorkerInfo b = Ready("b", {0});
  b.revision = 2;
  b.queued_rows = 1;
  directory.Update(2, b);
  EXPECT_EQ(directory.Load(2), 1);
  directory.Withdraw(2, 8);  // Included in the report.
  EXPECT_EQ(directory.Load(2), 1);
}

TEST(ExpertDirectoryTest, WorkOnEitherLinkOfAProcessCounts) {
  ExpertDirectory directory;
  directory.Update(1, Ready("b", {0}));
  directory.Update(2, Ready("b", {0}));
  directory.Update(3, Ready("c", {0}));
  directory.Assign(1, /*key=*/7, {0, 6});
  EXPECT_EQ(directory.Load(2), 6);
  EXPECT_EQ(directory.Holders(0, 0, ""), (Links{3, 1, 2}));
  // Another process that has taken its name over is another one.
  WorkerInfo successor = Ready("b", {0});
  successor.instance = 9;
  directory.Update(4, successor);
  EXPECT_EQ(directory.Load(4), 0);
  directory.Withdraw(1, 7);
  EXPECT_EQ(directory.Load(2), 0);
}

// Compares sums with the work of each link, while links and processes come and
// go.
TEST(ExpertDirectoryTest, LoadIsTheWorkOfAllLinksOfTheProcess) {
  std::mt19937 random(3);
  ExpertDirectory directory;
  std::map<LinkId, WorkerInfo> infos;
  std::map<LinkId, std::map<std::uint64_t, ExpertDirectory::Work>> works;
  for (int step = 0; step < 5000; ++step) {
    const LinkId id = random() % 6;
    const std::uint64_t key = random() % 5;
    switch (random() % 8) {
      case 0: {
        WorkerInfo info = Ready("w" + std::to_string(random() % 2), {0});
        info.instance = random() % 2;
        info.revision = infos[id].revision + 1;
        info.queued_rows = static_cast<int>(random() % 9);
        EXPECT_TRUE(directory.Update(id, info));
        infos[id] = info;
        works.erase(id);
        break;
      }
      case 1:
        if (random() % 4 != 0) break;
        directory.Remove(id);
        infos.erase(id);
        works.erase(id);
        break;
      case 2:
      case 3:
        directory.Withdraw(id, key);
        works[id].erase(key);
        break;
      default: {
        const ExpertDirectory::Work work = {static_cast<int>(random() % 3),
                                            static_cast<int>(random() % 7)};
        directory.Assign(id, key, work);
        if (infos.contains(id)) works[id][key] = work;
      }
    }
    for (const auto& [one, info] : infos) {
      std::int64_t load = info.queued_rows;
      for (const auto& [other, its] : infos) {
        if (its.name != info.name || its.instance != info.instance) continue;
        for (const auto& [k, work] : works[other]) {
          load += work.sequences + work.rows;
        }
      }
      ASSERT_EQ(directory.Load(one), load) << "step " << step;
    }
  }
}

TEST(ExpertDirectoryTest, TheCallersSequencesAreALowerBound) {
  ExpertDirectory directory;
  WorkerInfo info = Ready("a", {0});
  info.running_sequences = 2;
  directory.Update(1, info);
  EXPECT_EQ(directory.Load(1, 1), 2);
  EXPECT_EQ(directory.Load(1, 4), 4);
  directory.Assign(1, 1, {1, 0});
  EXPECT_EQ(directory.Load(1, 2), 3);
}

// A worker that reaches all experts of two layers with two experts each.
WorkerInfo Reaching(const std::string& name) {
  WorkerInfo info = Ready(name, {});
  info.reaches = std::set<int>{0, 1};
  return info;
}

TEST(ExpertDirectoryTest, AcceptingSequencesNeedsEveryExpertOfEveryLayer) {
  ExpertDirectory directory({4, 6, 2});
  WorkerInfo info = Reaching("a");
  directory.Update(1, info);
  EXPECT_TRUE(directory.TakesSequences(1));
  const auto takes = [&](LayerExperts reaches) {
    info.reaches = std::move(reaches);
    ++info.revision;
    directory.Update(1, info);
    return directory.TakesSequences(1);
  };
  EXPECT_FALSE(takes({0}));
  LayerExperts by_layer = {0};
  by_layer.in_layer[4] = {1};
  EXPECT_FALSE(takes(by_layer));
  by_layer.in_layer[5] = {1};
  EXPECT_TRUE(takes(by_layer));
  directory.SetLeaving(1, true);
  EXPECT_FALSE(directory.TakesSequences(1));
  directory.SetLeaving(1, false);
  info.draining = true;
  EXPECT_FALSE(takes(by_layer));
  info.draining = false;
  info.ready = false;
  EXPECT_FALSE(takes(by_layer));
}

TEST(ExpertDirectoryTest, ReturnsTheExpertThatNoWorkerReaches) {
  ExpertDirectory directory({4, 6, 2});
  const Links both = {1, 2};
  WorkerInfo a = Reaching("a"), b = Reaching("b");
  a.reaches = std::set<int>{0};
  a.reaches.in_layer[4] = {1};
  b.reaches = LayerExperts();
  b.reaches.in_layer[4] = {1};
  directory.Update(1, a);
  directory.Update(2, b);
  EXPECT_EQ(directory.FirstMissing(both), (LayerExpert{5, 1}));
  EXPECT_EQ(directory.FirstMissing(Links{2}), (LayerExpert{4, 0}));
  EXPECT_EQ(directory.FirstMissing({}), (LayerExpert{4, 0}));
  b.reaches.in_layer[5] = {1};
  ++b.revision;
  directory.Update(2, b);
  EXPECT_EQ(directory.FirstMissing(both), std::nullopt);
  EXPECT_FALSE(directory.TakesSequences(1));  // No worker reaches all.
  directory.SetLeaving(2, true);
  EXPECT_EQ(directory.FirstMissing(both), (LayerExpert{5, 1}));
}

TEST(ExpertDirectoryTest, CountsTheLayersThatHaveAnExpertInMemory) {
  ExpertDirectory directory({4, 6, 2});
  WorkerInfo info = Ready("a", {0});
  info.resident.in_layer[5] = {1};
  info.resident.in_layer[9] = {1};  // Not a layer of the model.
  directory.Update(1, info);
  EXPECT_EQ(directory.ResidentLayers(1, 0), 2);
  EXPECT_EQ(directory.ResidentLayers(1, 1), 1);
  EXPECT_EQ(directory.ResidentLayers(1, 3), 0);
}

}  // namespace
}  // namespace apollo

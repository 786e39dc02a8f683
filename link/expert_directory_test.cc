#include "link/expert_directory.h"

#include <gtest/gtest.h>

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

TEST(ExpertDirectoryTest, NamesAllWhoHaveTheExpert) {
  ExpertDirectory directory("");
  EXPECT_EQ(directory.Holders(3, 0), Links{});
  directory.Update(1, Ready("a", {0, 1}));
  directory.Update(2, Ready("b", {1, 2}));
  EXPECT_EQ(directory.Holders(3, 0), Links{1});
  EXPECT_EQ(directory.Holders(3, 1), (Links{1, 2}));
  EXPECT_EQ(directory.Holders(3, 4), Links{});
  directory.Remove(1);
  EXPECT_EQ(directory.Holders(3, 0), Links{});
}

TEST(ExpertDirectoryTest, ExpertsMayDifferByLayer) {
  ExpertDirectory directory("");
  WorkerInfo info = Ready("a", {0});
  info.resident.in_layer[5] = {1};
  directory.Update(1, info);
  EXPECT_EQ(directory.Holders(4, 1), Links{});
  EXPECT_EQ(directory.Holders(5, 1), Links{1});
  EXPECT_EQ(directory.Holders(5, 0), Links{1});
}

TEST(ExpertDirectoryTest, TheLeastBusyComesFirstThenByName) {
  ExpertDirectory directory("");
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
  directory.Update(6, Ready("d", {0}));
  EXPECT_EQ(directory.Holders(0, 0), (Links{6, 5, 3, 2, 1}));
}

TEST(ExpertDirectoryTest, WhoIsAboutToStopComesLastButIsNamed) {
  ExpertDirectory directory("");
  WorkerInfo stopping = Ready("a", {0});
  stopping.draining = true;
  directory.Update(1, stopping);
  EXPECT_EQ(directory.Holders(0, 0), Links{1});
  EXPECT_FALSE(directory.Stays(0, 0));
  WorkerInfo busy = Ready("b", {0});
  busy.queued_rows = 1000;
  directory.Update(2, busy);
  EXPECT_EQ(directory.Holders(0, 0), (Links{2, 1}));
  EXPECT_TRUE(directory.Stays(0, 0));
  directory.SetLeaving(2, true);
  EXPECT_EQ(directory.Holders(0, 0), (Links{1, 2}));
  EXPECT_FALSE(directory.Stays(0, 0));
  directory.SetLeaving(2, false);
  EXPECT_TRUE(directory.Stays(0, 0));
}

TEST(ExpertDirectoryTest, AnOlderRevisionIsIgnored) {
  ExpertDirectory directory("");
  WorkerInfo info = Ready("a", {0});
  info.revision = 5;
  EXPECT_TRUE(directory.Update(1, info));
  info.resident = std::set<int>{1};
  EXPECT_FALSE(directory.Update(1, info));
  info.revision = 4;
  EXPECT_FALSE(directory.Update(1, info));
  EXPECT_EQ(directory.Holders(0, 0), Links{1});
  info.revision = 6;
  EXPECT_TRUE(directory.Update(1, info));
  EXPECT_EQ(directory.Holders(0, 0), Links{});
}

TEST(ExpertDirectoryTest, OnlyExpertWorkersWhoseEngineHasSpokenHoldAnything) {
  ExpertDirectory directory("");
  WorkerInfo hello = Ready("a", {0});
  hello.ready = false;
  hello.revision = 0;
  directory.Update(1, hello);
  WorkerInfo dense = Ready("d", {0});
  dense.role = WorkerRole::kDense;
  directory.Update(2, dense);
  EXPECT_EQ(directory.Holders(0, 0), Links{});
  directory.Update(1, Ready("a", {0}));
  EXPECT_EQ(directory.Holders(0, 0), Links{1});
}

TEST(ExpertDirectoryTest, WhoseBitsMightDifferIsNotAsked) {
  ExpertDirectory directory("cpu/int8/f16/1");
  WorkerInfo other = Ready("a", {0});
  other.numerics = "cuda/int8/f16/1";
  directory.Update(1, other);
  WorkerInfo same = Ready("b", {0});
  same.numerics = "cpu/int8/f16/1";
  directory.Update(2, same);
  directory.Update(3, Ready("c", {0}));  // Of the version that does not say.
  EXPECT_EQ(directory.Holders(0, 0), (Links{2, 3}));
}

}  // namespace
}  // namespace apollo

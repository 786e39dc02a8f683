#include "router/cluster_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace apollo {
namespace {

using ::testing::HasSubstr;

WorkerInfo Info(const std::string& name, std::uint64_t revision = 1) {
  WorkerInfo info;
  info.role = WorkerRole::kExpert;
  info.name = name;
  info.instance = 9;
  info.ready = true;
  info.revision = revision;
  return info;
}

DenseStatus Dense(const std::string& name, std::vector<ListedWorker> experts) {
  DenseStatus dense{
      .address = name + ":1", .answered = true, .usable = true, .name = name};
  dense.details = WorkerDetails{.expert_workers = std::move(experts),
                                .cache_blocks = 8,
                                .cache_blocks_used = 2};
  return dense;
}

TEST(ClusterStatusTest, DenseWorkersComeFirstByName) {
  const auto all = MergeStatus(
      {Dense("d1", {{.address = "e:1", .info = Info("e"), .linked = true}}),
       Dense("d0", {})});
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].name, "d0");
  EXPECT_EQ(all[0].role, ProcessRole::kDenseWorker);
  EXPECT_EQ(all[0].state, ProcessState::kReady);
  EXPECT_EQ(all[0].cache_use, 0.25);
  EXPECT_EQ(all[1].name, "d1");
  EXPECT_EQ(all[2].role, ProcessRole::kExpertWorker);
  EXPECT_EQ(all[2].name, "e");
  EXPECT_EQ(all[2].state, ProcessState::kReady);
  EXPECT_EQ(all[2].reason, "");
}

TEST(ClusterStatusTest, AnExpertWorkerIsReachableIfOneDenseWorkerReachesIt) {
  WorkerInfo newer = Info("e", 5);
  newer.running_sequences = 3;
  const auto all = MergeStatus(
      {Dense("d0", {{.address = "e:1", .info = newer, .linked = true}}),
       Dense("d1", {{.address = "e:1",
                     .info = Info("e", 2),
                     .reason = "connection refused"}})});
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[2].state, ProcessState::kReady);
  EXPECT_EQ(all[2].running_sequences, 3);
  EXPECT_EQ(all[2].reason, "no link from dense worker d1: connection refused");
}

TEST(ClusterStatusTest, WhoIsLostKeepsItsName) {
  WorkerInfo busy = Info("e");
  busy.running_sequences = 2;
  busy.resident = {3};
  const auto all = MergeStatus(
      {Dense("d0", {{.address = "e:1", .info = busy, .reason = "closed"},
                    {.address = "f:1"}})});
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[1].address, "f:1");  // Its name is not known.
  EXPECT_EQ(all[1].state, ProcessState::kUnreachable);
  EXPECT_EQ(all[2].name, "e");
  EXPECT_EQ(all[2].state, ProcessState::kUnreachable);
  EXPECT_EQ(all[2].running_sequences, 0);
  EXPECT_EQ(all[2].experts, std::set<int>{3});
}

TEST(ClusterStatusTest, ARestartedProcessReplacesTheLostOne) {
  WorkerInfo old = Info("e", 50);
  WorkerInfo now = Info("e", 1);
  now.instance = 10;
  now.version = "new";
  const ListedWorker lost{.address = "e:1", .info = old, .reason = "closed"};
  const ListedWorker found{.address = "e:1", .info = now, .linked = true};
  EXPECT_EQ(MergeStatus({Dense("d0", {lost}), Dense("d1", {found})})[2].version,
            "new");
  EXPECT_EQ(MergeStatus({Dense("d0", {found}), Dense("d1", {lost})})[2].version,
            "new");
}

// As on two machines, each with a dense and an expert worker.
TEST(ClusterStatusTest, SocketsOfOneNameOnTwoMachinesAreTwoWorkers) {
  const auto machine = [](const char* dense, const char* expert, bool linked) {
    return Dense(dense, {{.address = "unix:/run/apollo/expert.sock",
                          .info = Info(expert),
                          .linked = linked}});
  };
  const auto all =
      MergeStatus({machine("d0", "e0", true), machine("d1", "e1", false)});
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[2].name, "e0");
  EXPECT_EQ(all[2].state, ProcessState::kReady);
  EXPECT_EQ(all[2].reason, "");
  EXPECT_EQ(all[3].name, "e1");
  EXPECT_EQ(all[3].address, "unix:/run/apollo/expert.sock");
  EXPECT_EQ(all[3].state, ProcessState::kUnreachable);
  // Two dense workers on one machine.
  EXPECT_EQ(
      MergeStatus({machine("d0", "e", true), machine("d1", "e", true)}).size(),
      3u);
}

TEST(ClusterStatusTest, UseAndCertificatesOfWorkers) {
  WorkerInfo info = Info("e");
  info.cache_tokens = 4096;
  info.cache_tokens_used = 1024;
  info.rows_computed = 77;
  info.certificate_expires = 1'900'000'000;
  DenseStatus dense =
      Dense("d", {{.address = "e:1", .info = info, .linked = true},
                  {.address = "f:1", .info = info, .reason = "closed"}});
  dense.queued_rows = 5;
  dense.details->waiting_sequences = 3;
  dense.details->rows_computed = 99;
  dense.details->certificate_expires = 1'800'000'000;
  const auto all = MergeStatus({dense});
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].queued_rows, 5);
  EXPECT_EQ(all[0].waiting_sequences, 3);
  EXPECT_EQ(all[0].rows_computed, 99);
  EXPECT_EQ(all[0].certificate_expires, 1'800'000'000);
  EXPECT_EQ(all[1].cache_use, 0.25);
  EXPECT_EQ(all[1].cache_tokens, 4096);
  EXPECT_EQ(all[1].rows_computed, 77);
  EXPECT_EQ(all[1].certificate_expires, 1'900'000'000);
  EXPECT_EQ(all[2].cache_use, std::nullopt);  // Its use is not known any more.
}

TEST(ClusterStatusTest, ADenseWorkerThatAnswersTellsThatItDrains) {
  DenseStatus dense = Dense("d", {});
  dense.usable = false;
  dense.reason = "it is not ready";
  dense.details->draining = true;
  EXPECT_EQ(MergeStatus({dense})[0].state, ProcessState::kDraining);
  EXPECT_EQ(MergeStatus({dense})[0].reason, "");
  dense.answered = false;
  EXPECT_EQ(MergeStatus({dense})[0].state, ProcessState::kUnreachable);
}

TEST(ClusterStatusTest, StatesOfWorkers) {
  WorkerInfo draining = Info("e");
  draining.draining = true;
  WorkerInfo starting = Info("f");
  starting.ready = false;
  DenseStatus rejected =
      Dense("d0", {{.address = "e:1", .info = draining, .linked = true},
                   {.address = "f:1", .info = starting, .linked = true}});
  rejected.usable = false;
  rejected.reason = "it serves another model";
  const auto all =
      MergeStatus({rejected, {.address = "d1:1", .reason = "gone"}});
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].address, "d1:1");
  EXPECT_EQ(all[0].state, ProcessState::kUnreachable);
  EXPECT_EQ(all[1].state, ProcessState::kNotReady);
  EXPECT_EQ(all[1].reason, "it serves another model");
  EXPECT_EQ(all[2].state, ProcessState::kDraining);
  EXPECT_EQ(all[3].state, ProcessState::kNotReady);
  EXPECT_THAT(all[3].reason, HasSubstr("engine"));
}

}  // namespace
}  // namespace apollo

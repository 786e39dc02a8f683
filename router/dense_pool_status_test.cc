#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "router/dense_pool_fixture.h"

namespace apollo {
namespace {

// Each expert worker may report thousands of experts.
TEST_F(DensePoolTest, TheStatusHasTheReportsOfManyExpertWorkers) {
  constexpr int kWorkers = 100;
  const std::string report(400'000, 'x');  // As large as the entries may be.
  FakeWorker& a = Add("a", "m");
  MakePool();
  Poll();
  pb::DescribeResponse description;
  for (int w = 0; w < kWorkers; ++w) {
    pb::ListedExpertWorker& listed =
        *description.mutable_details()->add_expert_workers();
    listed.set_address("e:" + std::to_string(w));
    listed.mutable_info()->mutable_placement()->set_last_move(report);
  }
  a.Change(description);
  int reports = 0;
  for (const ProcessStatus& process : StatusOf(*pool_)) {
    if (process.placement.last_move == report) ++reports;
    EXPECT_EQ(process.reason.find("larger than max"), std::string::npos)
        << process.reason;
  }
  EXPECT_EQ(reports, kWorkers);
}

TEST_F(DensePoolTest, StatusTellsWhoAnswersAndWhy) {
  FakeWorker& a = Add("a", "m1");
  Add("b", "m1");
  Add("c", "m2");
  MakePool();
  EXPECT_EQ(StatusOf(*pool_).size(), 0u);  // Nothing has been polled.
  pool_->Poll();
  pb::DescribeResponse details;
  details.set_running_sequences(5);
  details.mutable_details()->add_expert_workers()->set_address("e:1");
  a.Change(details);
  std::map<std::string, ProcessStatus> by_name;
  for (const ProcessStatus& status : StatusOf(*pool_)) {
    by_name[status.name] = status;
  }
  ASSERT_EQ(by_name.size(), 4u);
  EXPECT_EQ(by_name["a"].state, ProcessState::kReady);
  EXPECT_EQ(by_name["a"].reason, "");
  EXPECT_EQ(by_name["a"].running_sequences, 5);
  EXPECT_EQ(by_name[""].address, "e:1");  // As "a" says.
  EXPECT_EQ(by_name[""].role, ProcessRole::kExpertWorker);
  EXPECT_EQ(by_name[""].state, ProcessState::kUnreachable);
  EXPECT_EQ(by_name["b"].state, ProcessState::kReady);
  EXPECT_EQ(by_name["c"].state, ProcessState::kNotReady);
  EXPECT_EQ(by_name["c"].model_hash, "m2");
  EXPECT_TRUE(Says(by_name["c"].reason, "model hash differs"));
}

TEST_F(DensePoolTest, ALostWorkerKeepsItsNameInTheStatus) {
  Add("a", "m1");
  MakePool();
  pool_->Poll();
  const std::string address = workers_[0]->address;
  workers_.clear();
  const std::vector<ProcessStatus> status = StatusOf(*pool_);
  ASSERT_EQ(status.size(), 1u);
  EXPECT_EQ(status[0].state, ProcessState::kUnreachable);
  EXPECT_NE(status[0].reason, "");
  EXPECT_EQ(status[0].name, "a");
  EXPECT_EQ(status[0].address, address);
  EXPECT_EQ(status[0].model_hash, "m1");
}

}  // namespace
}  // namespace apollo

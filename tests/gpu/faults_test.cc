// A worker on a GPU that is killed in the middle of an answer takes nobody
// along: the request fails with UNAVAILABLE, the other worker goes on, and a
// restarted one gives the same answers. Without a GPU, on processors.

#include <gtest/gtest.h>

#include <string>

#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"
#include "tests/gpu/gpu_cluster.h"

namespace apollo {
namespace {

const char kPrompt[] = "User:fever\nAssistant:";

Answer Ask(Cluster& cluster) {
  v1::GenerateRequest request = GreedyRequest(kPrompt, 32);
  request.set_ignore_eos(true);
  return Generate(*cluster.NewStub(), request);
}

void ExpectSame(const Answer& before, const Answer& after) {
  EXPECT_TRUE(after.status.ok()) << after.status.error_message();
  EXPECT_EQ(after.ids, before.ids);
  EXPECT_TRUE(after.logprobs == before.logprobs);
}

// Expects a running request to end with UNAVAILABLE after harm().
template <typename Harm>
void ExpectUnavailableAfter(Cluster& cluster, Harm harm) {
  grpc::ClientContext context;
  const auto stub = cluster.NewStub();
  const auto stream = stub->Generate(&context, LongRequest(kPrompt));
  v1::GenerateResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_TRUE(response.has_started());
  ASSERT_TRUE(stream->Read(&response));  // It is in the middle of the answer.
  harm();
  while (stream->Read(&response)) {
  }
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE)
      << status.error_message();
  cluster.WaitForHealth(false);
}

class GpuFaultsTest : public testing::Test {
 protected:
  void SetUp() override {
    StartGpuCluster(cluster_);
    ASSERT_FALSE(HasFailure());
    before_ = Ask(cluster_);
    ASSERT_TRUE(before_.status.ok()) << before_.status.error_message();
    ASSERT_EQ(before_.ids.size(), 32u);
  }
  void ExpectRecovers() {
    cluster_.WaitForHealth(true);
    ExpectSame(before_, Ask(cluster_));
    cluster_.StopAll();
  }
  Cluster cluster_{Runfile("tests/golden/wide"), GpuLayout(1)};
  Answer before_;
};

TEST_F(GpuFaultsTest, ALostExpertWorkerTakesNobodyAlong) {
  ExpectUnavailableAfter(cluster_, [&] { cluster_.KillExpert(0); });
  cluster_.WaitForMetric("dense-worker-0", "apollo_num_sequences_running", 0);
  cluster_.StartExpert(0);
  ExpectRecovers();
}

TEST_F(GpuFaultsTest, ALostDenseWorkerTakesNobodyAlong) {
  ExpectUnavailableAfter(cluster_, [&] { cluster_.KillDense(0); });
  cluster_.WaitForMetric("expert-worker-0",
                         "apollo_num_expert_sequences_running", 0);
  cluster_.StartDense(0);
  ExpectRecovers();
}

}  // namespace
}  // namespace apollo

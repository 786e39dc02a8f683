// Administration of real processes: what a drain by RPC does to each role, and
// what a reload reads.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "common/json.h"
#include "proto/apollo/v1/admin.grpc.pb.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"
#include "tests/e2e/health.h"

namespace apollo {
namespace {

using ::testing::HasSubstr;

v1::GenerateRequest Request() {
  v1::GenerateRequest request =
      GreedyRequest("User:fever\nAssistant:", /*max_new_tokens=*/400);
  request.set_ignore_eos(true);
  return request;
}

class AdminTest : public testing::Test {
 protected:
  // Starts two processes of each role.
  AdminTest()
      : cluster_(Runfile("tests/golden/published"),
                 {.dense_workers = 2,
                  .expert_workers = 2,
                  .routers = 2,
                  .dense_flags = {kAdmin},
                  .expert_flags = {kAdmin},
                  .standby = true,
                  .router_flags = {kAdmin, kPauseEarly}}) {
    cluster_.Start();
    cluster_.WaitForHealth(true);
  }

  // Returns the administration of a process, which its log names.
  std::unique_ptr<v1::AdminService::Stub> Admin(const std::string& process) {
    std::istringstream lines(cluster_.Logs());
    std::string address;
    for (std::string line; std::getline(lines, line);) {
      if (line.find("administration_started") == std::string::npos) continue;
      const auto json = ParseJson(line, "log");
      if (json.ok() && json->value("process", "") == process) {
        address = json->value("address", "");
      }
    }
    EXPECT_NE(address, "") << process;
    return v1::AdminService::NewStub(
        grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  }

  // Drains a process. The test fails if the call does.
  bool Drain(const std::string& process, double timeout_seconds) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::minutes(2));
    v1::DrainRequest request;
    request.set_timeout_seconds(timeout_seconds);
    v1::DrainResponse response;
    const grpc::Status status =
        Admin(process)->Drain(&context, request, &response);
    EXPECT_TRUE(status.ok()) << process << ": " << status.error_message();
    return response.drained();
  }

  v1::ProcessState StateOf(const std::string& process, int router) {
    grpc::ClientContext context;
    v1::GetStatusResponse response;
    const grpc::Status status =
        cluster_.NewStub(router)->GetStatus(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    for (const v1::ProcessStatus& seen : response.processes()) {
      if (seen.name() == process) return seen.state();
    }
    return v1::PROCESS_STATE_UNSPECIFIED;
  }

  // Waits until a router says that a process drains.
  testing::AssertionResult IsDraining(const std::string& process, int router) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    v1::ProcessState state;
    do {
      state = StateOf(process, router);
      if (state == v1::PROCESS_STATE_DRAINING) {
        return testing::AssertionSuccess();
      }
      std::this_thread::yield();
    } while (std::chrono::steady_clock::now() < end);
    return testing::AssertionFailure()
           << process << " is " << v1::ProcessState_Name(state);
  }

  static constexpr char kAdmin[] = "--admin_listen=127.0.0.1:0";
  Cluster cluster_;
};

// Answers the same request again and again, until it is destroyed.
class Stream {
 public:
  Stream(Cluster& cluster, const Answer& expected)
      : thread_([this, stub = cluster.NewStub(0), &expected]() mutable {
          do {
            const Answer answer = Generate(*stub, Request());
            EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
            EXPECT_EQ(answer.ids, expected.ids);
          } while (!stop_);
        }) {}
  ~Stream() {
    stop_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST_F(AdminTest, DrainedWorkersLoseNothingAndKeepRunning) {
  const Answer expected = Generate(*cluster_.NewStub(0), Request());
  ASSERT_TRUE(expected.status.ok()) << expected.status.error_message();
  {
    std::vector<std::unique_ptr<Stream>> streams;
    for (int i = 0; i < 4; ++i) {
      streams.push_back(std::make_unique<Stream>(cluster_, expected));
    }
    for (const char* worker : {"expert-worker-0", "dense-worker-0"}) {
      EXPECT_TRUE(Drain(worker, 60)) << worker;
      EXPECT_TRUE(IsDraining(worker, 0));
      EXPECT_TRUE(Drain(worker, 60)) << worker << ", again";
    }
    // New answers, too.
    EXPECT_EQ(Generate(*cluster_.NewStub(0), Request()).ids, expected.ids);
  }
  EXPECT_FALSE(IsServing(
      grpc::CreateChannel(cluster_.dense_address(0), cluster_.Credentials())));
  EXPECT_TRUE(IsServing(
      grpc::CreateChannel(cluster_.dense_address(1), cluster_.Credentials())));
  cluster_.StopAll();  // All still run, and end as others do.
}

TEST_F(AdminTest, ADrainedRouterFinishesItsCallsAndTurnsNewOnesAway) {
  grpc::ClientContext context;
  const auto stub = cluster_.NewStub(1);
  const auto stream = stub->Generate(&context, Request());
  v1::GenerateResponse event;
  ASSERT_TRUE(stream->Read(&event));
  ASSERT_TRUE(event.has_started());
  std::thread drain([&] { EXPECT_TRUE(Drain("router-1", 60)); });
  EXPECT_TRUE(IsDraining("router-1", 1));
  const Answer refused = Generate(*cluster_.NewStub(1), Request());
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(refused.status.error_message(), HasSubstr("out of service"));
  bool finished = false;
  while (stream->Read(&event)) finished = finished || event.has_finished();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_TRUE(finished);
  drain.join();
  EXPECT_FALSE(IsServing(
      grpc::CreateChannel(cluster_.address(1), cluster_.Credentials())));
  EXPECT_TRUE(Generate(*cluster_.NewStub(0), Request()).status.ok());
  cluster_.StopAll();
}

TEST_F(AdminTest, CallsThatARouterHasNoTimeForCanGoOnElsewhere) {
  grpc::ClientContext context;
  const auto stub = cluster_.NewStub(1);
  const auto stream = stub->Generate(&context, LongRequest("fever"));
  v1::GenerateResponse event;
  ASSERT_TRUE(stream->Read(&event));
  // The answer cannot end by itself.
  EXPECT_FALSE(Drain("router-1", 0.001));
  while (stream->Read(&event)) {
  }
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  // What clients continue an answer by.
  EXPECT_TRUE(
      context.GetServerTrailingMetadata().contains("grpc-retry-pushback-ms"));
  cluster_.StopAll();
}

TEST_F(AdminTest, AReloadReadsTheListsOfWorkers) {
  for (const auto& [process, list] :
       {std::pair{"router", "dense_workers"},
        std::pair{"dense-worker-0", "expert_workers"},
        std::pair{"expert-worker-0", "expert_workers"}}) {
    grpc::ClientContext context;
    v1::ReloadResponse response;
    const grpc::Status status = Admin(process)->Reload(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_THAT(response.files(), testing::Contains(list)) << process;
    EXPECT_EQ(response.refused_size(), 0) << process;
  }
  cluster_.StopAll();
}

}  // namespace
}  // namespace apollo

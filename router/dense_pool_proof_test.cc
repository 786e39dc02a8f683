// What a pool does with workers that are not who they say they are.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "common/fake_clock.h"
#include "proto/apollo/internal/v1/generation.grpc.pb.h"
#include "router/dense_pool.h"

namespace apollo {
namespace {

namespace pb = internal::v1;

// A dense worker on a port of this process.
class NamedWorker final : public pb::DenseWorkerService::Service {
 public:
  explicit NamedWorker(std::string name) : name_(std::move(name)) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    address = "127.0.0.1:" + std::to_string(port);
  }
  ~NamedWorker() override { server_->Shutdown(); }

  grpc::Status Describe(grpc::ServerContext*, const pb::DescribeRequest*,
                        pb::DescribeResponse* response) override {
    response->set_name(name_);
    response->set_model_hash("m");
    response->set_config_hash("config");
    response->set_ready(true);
    return grpc::Status::OK;
  }

  std::string address;

 private:
  const std::string name_;
  std::unique_ptr<grpc::Server> server_;
};

std::string LogOfPoll(DensePool& pool) {
  testing::internal::CaptureStderr();
  pool.Poll();
  return testing::internal::GetCapturedStderr();
}

TEST(DensePoolProofTest, AWorkerThatIsSomebodyElseIsNotReady) {
  NamedWorker a("a"), b("b");
  std::string proven = "none";
  DensePool::Options options;
  options.answer_limit = std::chrono::minutes(1);
  options.check_name = [&proven](const grpc::AuthContext&,
                                 const std::string& name) {
    return name == proven ? absl::OkStatus()
                          : absl::PermissionDeniedError("it is not " + name);
  };
  FakeClock clock;
  DensePool pool(ModelFingerprint{"config", ""}, options, clock);
  pool.SetMembers({a.address, b.address});
  const std::string log = LogOfPoll(pool);
  EXPECT_THAT(log, testing::HasSubstr("it is not a"));
  EXPECT_THAT(log, testing::HasSubstr("it is not b"));
  EXPECT_FALSE(pool.Ready());
  // Each is refused once.
  EXPECT_THAT(LogOfPoll(pool),
              testing::Not(testing::HasSubstr("dense_worker_refused")));
  proven = "a";
  LogOfPoll(pool);
  EXPECT_TRUE(pool.Ready());
}

}  // namespace
}  // namespace apollo

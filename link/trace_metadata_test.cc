#include "link/trace_metadata.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "proto/apollo/internal/v1/generation.grpc.pb.h"

namespace apollo {
namespace {

namespace pb = internal::v1;

constexpr char kParent[] =
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

// Keeps the context of the last call of Describe.
class Service final : public pb::DenseWorkerService::Service {
 public:
  grpc::Status Describe(grpc::ServerContext* context,
                        const pb::DescribeRequest* /*request*/,
                        pb::DescribeResponse* /*response*/) override {
    trace = TraceOf(*context);
    return grpc::Status::OK;
  }
  std::optional<TraceContext> trace;
};

class TraceMetadataTest : public testing::Test {
 protected:
  TraceMetadataTest() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = pb::DenseWorkerService::NewStub(
        grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                            grpc::InsecureChannelCredentials()));
  }
  // Returns what a server reads from a call.
  std::optional<TraceContext> Call(
      const std::function<void(grpc::ClientContext&)>& prepare) {
    grpc::ClientContext context;
    prepare(context);
    pb::DescribeResponse response;
    const grpc::Status status = stub_->Describe(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return service_.trace;
  }

  Service service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<pb::DenseWorkerService::Stub> stub_;
};

TEST_F(TraceMetadataTest, AContextTravelsWithACall) {
  const auto context = ParseTraceparent(kParent, "vendor=a");
  EXPECT_EQ(Call([&](auto& call) { AddTrace(*context, call); }), context);
  const auto without_state = ParseTraceparent(kParent);
  EXPECT_EQ(Call([&](auto& call) { AddTrace(*without_state, call); }),
            without_state);
}

TEST_F(TraceMetadataTest, LinesOfTheStateAreOneList) {
  const auto context = Call([](grpc::ClientContext& call) {
    call.AddMetadata("traceparent", kParent);
    call.AddMetadata("tracestate", "a=1");
    call.AddMetadata("tracestate", "b=2");
  });
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(context->state, "a=1,b=2");
}

TEST_F(TraceMetadataTest, WhatIsNoContextCountsAsNone) {
  EXPECT_FALSE(Call([](auto&) {}));
  EXPECT_FALSE(Call([](grpc::ClientContext& call) {
    call.AddMetadata("traceparent", "patient");
  }));
  EXPECT_FALSE(Call([](grpc::ClientContext& call) {
    call.AddMetadata("traceparent", kParent);
    call.AddMetadata("traceparent", kParent);
  }));
}

}  // namespace
}  // namespace apollo

#include "serving/call_gate.h"

#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "proto/grpc/health/v1/health.grpc.pb.h"
#include "proto/grpc/reflection/v1/reflection.grpc.pb.h"
#include "serving/server.h"

namespace apollo {
namespace {

namespace reflection = grpc::reflection::v1;
using grpc::StatusCode;

class Nothing final : public grpc::Service {};

// A server that only asks whether a call has the metadata "key".
class CallGateTest : public testing::Test {
 protected:
  CallGateTest() {
    ServerOptions options;
    options.reflection = true;
    options.gate = [](const grpc::ServerContextBase& context,
                      const std::string& path) {
      return context.client_metadata().count("key") > 0
                 ? grpc::Status::OK
                 : grpc::Status(StatusCode::PERMISSION_DENIED,
                                "no key for " + path, "details");
    };
    auto server = Server::Start(options, {{&service_, "test.v1.Nothing"}}, {});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = grpc::CreateChannel(server_->address(),
                                   grpc::InsecureChannelCredentials());
  }

  // Returns the end of a call of a method that takes and sends bytes.
  grpc::Status Call(const std::string& path, bool with_key) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    if (with_key) context.AddMetadata("key", "x");
    grpc::CompletionQueue queue;
    grpc::Slice slice("");
    const grpc::ByteBuffer request(&slice, 1);
    const auto call = stub.PrepareUnaryCall(&context, path, request, &queue);
    call->StartCall();
    grpc::ByteBuffer response;
    grpc::Status status;
    call->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue.Next(&tag, &ok));
    queue.Shutdown();
    EXPECT_FALSE(queue.Next(&tag, &ok));
    return status;
  }

  // Asks for the names of all services.
  grpc::Status List(bool with_key, reflection::ServerReflectionResponse* out) {
    const auto stub = reflection::ServerReflection::NewStub(channel_);
    grpc::ClientContext context;
    if (with_key) context.AddMetadata("key", "x");
    const auto stream = stub->ServerReflectionInfo(&context);
    reflection::ServerReflectionRequest request;
    request.set_list_services("");
    stream->Write(request);
    stream->WritesDone();
    while (stream->Read(out)) {
    }
    return stream->Finish();
  }

  Nothing service_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(CallGateTest, UnknownMethodsAreToldOnlyToThoseWhoMayAsk) {
  const grpc::Status refused = Call("/apollo.v9.Any/Thing", false);
  EXPECT_EQ(refused.error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(refused.error_message(), "no key for /apollo.v9.Any/Thing");
  EXPECT_EQ(refused.error_details(), "details");
  EXPECT_EQ(Call("/apollo.v9.Any/Thing", true).error_code(),
            StatusCode::UNIMPLEMENTED);
}

TEST_F(CallGateTest, ReflectionAsks) {
  reflection::ServerReflectionResponse response;
  const grpc::Status refused = List(false, &response);
  EXPECT_EQ(refused.error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(refused.error_details(), "details");
  EXPECT_FALSE(response.has_list_services_response());
  EXPECT_TRUE(List(true, &response).ok());
  ASSERT_TRUE(response.has_list_services_response());
  for (const auto& one : response.list_services_response().service()) {
    EXPECT_NE(one.name(), "grpc.reflection.v1alpha.ServerReflection");
  }
  // gRPC's own reflection cannot ask, so it is not there.
  EXPECT_EQ(Call("/grpc.reflection.v1alpha.ServerReflection/"
                 "ServerReflectionInfo",
                 false)
                .error_code(),
            StatusCode::PERMISSION_DENIED);
}

TEST_F(CallGateTest, EverybodyMaySeeHealth) {
  const auto stub = grpc::health::v1::Health::NewStub(channel_);
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckResponse response;
  EXPECT_TRUE(stub->Check(&context, {}, &response).ok());
}

}  // namespace
}  // namespace apollo

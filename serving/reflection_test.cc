#include "serving/reflection.h"

#include <google/protobuf/api.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <gtest/gtest.h>

#include <string>

namespace apollo {
namespace {

namespace pb = grpc::reflection::v1;

constexpr char kReflection[] = "grpc.reflection.v1.ServerReflection";

class ReflectionTest : public testing::Test {
 protected:
  pb::ServerReflectionResponse AskForSymbol(const std::string& symbol) {
    pb::ServerReflectionRequest request;
    request.set_file_containing_symbol(symbol);
    return service_.Answer(request);
  }
  const ReflectionService service_{{"a.v1.A", kReflection}};
};

TEST_F(ReflectionTest, ListsTheServices) {
  pb::ServerReflectionRequest request;
  request.set_host("h");
  request.set_list_services("");
  const auto response = service_.Answer(request);
  EXPECT_EQ(response.valid_host(), "h");
  EXPECT_EQ(response.original_request().host(), "h");
  const auto& list = response.list_services_response();
  ASSERT_EQ(list.service_size(), 2);
  EXPECT_EQ(list.service(0).name(), "a.v1.A");
  EXPECT_EQ(list.service(1).name(), kReflection);
}

// A client builds its own descriptors from the answer alone.
TEST_F(ReflectionTest, AFileComesWithItsImports) {
  google::protobuf::LinkMessageReflection<google::protobuf::Api>();
  const auto response = AskForSymbol("google.protobuf.Api");
  const auto& files = response.file_descriptor_response();
  ASSERT_EQ(files.file_descriptor_proto_size(), 4)
      << "api, source_context, type and any";
  google::protobuf::SimpleDescriptorDatabase database;
  for (const std::string& file : files.file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto proto;
    ASSERT_TRUE(proto.ParseFromString(file));
    ASSERT_TRUE(database.Add(proto)) << proto.name() << " came twice";
  }
  google::protobuf::DescriptorPool pool(&database);
  const auto* api = pool.FindMessageTypeByName("google.protobuf.Api");
  ASSERT_NE(api, nullptr);
  EXPECT_NE(api->FindFieldByName("methods"), nullptr);
}

TEST_F(ReflectionTest, FindsFilesByNameAndBySymbolsOfAllKinds) {
  constexpr char kFile[] = "proto/grpc/reflection/v1/reflection.proto";
  pb::ServerReflectionRequest by_name;
  by_name.set_file_by_filename(kFile);
  const auto wanted = service_.Answer(by_name).file_descriptor_response();
  ASSERT_EQ(wanted.file_descriptor_proto_size(), 1);
  for (const std::string symbol :
       {kReflection, "grpc.reflection.v1.ServerReflection.ServerReflectionInfo",
        "grpc.reflection.v1.ErrorResponse",
        "grpc.reflection.v1.ErrorResponse.error_code"}) {
    EXPECT_EQ(
        AskForSymbol(symbol).file_descriptor_response().SerializeAsString(),
        wanted.SerializeAsString())
        << symbol;
  }
}

TEST_F(ReflectionTest, WhatIsUnknownIsNotFound) {
  EXPECT_EQ(AskForSymbol("a.v1.Nothing").error_response().error_code(),
            grpc::StatusCode::NOT_FOUND);
  pb::ServerReflectionRequest request;
  request.set_file_by_filename("nothing.proto");
  EXPECT_EQ(service_.Answer(request).error_response().error_message(),
            "unknown: nothing.proto");
  request.set_all_extension_numbers_of_type("a.v1.Nothing");
  EXPECT_EQ(service_.Answer(request).error_response().error_code(),
            grpc::StatusCode::NOT_FOUND);
  request.mutable_file_containing_extension()->set_containing_type(kReflection);
  EXPECT_EQ(service_.Answer(request).error_response().error_code(),
            grpc::StatusCode::NOT_FOUND);
  request.clear_message_request();
  EXPECT_EQ(service_.Answer(request).error_response().error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ReflectionTest, AMessageWithoutExtensionsHasNone) {
  pb::ServerReflectionRequest request;
  request.set_all_extension_numbers_of_type("grpc.reflection.v1.ErrorResponse");
  const auto response = service_.Answer(request);
  EXPECT_EQ(response.all_extension_numbers_response().base_type_name(),
            "grpc.reflection.v1.ErrorResponse");
  EXPECT_EQ(response.all_extension_numbers_response().extension_number_size(),
            0);
}

}  // namespace
}  // namespace apollo

#include "router/grpc/grpc_status.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "common/retry_hint.h"
#include "proto/apollo/rpc/details.pb.h"
#include "proto/apollo/rpc/packing.h"
#include "router/request/field_error.h"

namespace apollo {
namespace {

rpc::Status Details(const grpc::Status& status) {
  rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.code(), static_cast<int>(status.error_code()));
  EXPECT_EQ(details.message(), status.error_message());
  return details;
}

TEST(ToGrpcStatusTest, AFieldErrorCarriesABadRequest) {
  const absl::Status error = FieldError("sampling.top_p", "is 2; it must be 1");
  EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(error.message(), "sampling.top_p is 2; it must be 1");
  const grpc::Status status = ToGrpcStatus(error);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "sampling.top_p is 2; it must be 1");
  const rpc::Status details = Details(status);
  ASSERT_EQ(details.details_size(), 1);
  EXPECT_EQ(details.details(0).type_url(),
            "type.googleapis.com/google.rpc.BadRequest");
  rpc::BadRequest bad;
  ASSERT_TRUE(rpc::Unpack(details.details(0), &bad));
  ASSERT_EQ(bad.field_violations_size(), 1);
  EXPECT_EQ(bad.field_violations(0).field(), "sampling.top_p");
  EXPECT_EQ(bad.field_violations(0).description(), "is 2; it must be 1");
}

TEST(ToGrpcStatusTest, ABadRequestNamesAllWrongFields) {
  FieldErrors errors;
  errors.Add("stop[0]", "has 0 bytes");
  errors.Add("logprobs", "is 21; it must be at most 20");
  const rpc::Status details = Details(ToGrpcStatus(errors.status()));
  rpc::BadRequest bad;
  ASSERT_TRUE(rpc::Unpack(details.details(0), &bad));
  ASSERT_EQ(bad.field_violations_size(), 2);
  EXPECT_EQ(bad.field_violations(0).field(), "stop[0]");
  EXPECT_EQ(bad.field_violations(1).field(), "logprobs");
  EXPECT_EQ(bad.field_violations(1).description(),
            "is 21; it must be at most 20");
}

TEST(ToGrpcStatusTest, RetriableErrorsCarryARetryDelay) {
  for (const absl::Status& error :
       {absl::UnavailableError("gone"), absl::ResourceExhaustedError("full")}) {
    const grpc::Status status = ToGrpcStatus(error);
    EXPECT_EQ(static_cast<int>(status.error_code()),
              static_cast<int>(error.code()));
    const rpc::Status details = Details(status);
    ASSERT_EQ(details.details_size(), 1);
    rpc::RetryInfo retry;
    ASSERT_TRUE(rpc::Unpack(details.details(0), &retry));
    EXPECT_GT(retry.retry_delay().seconds(), 0);
  }
}

TEST(ToGrpcStatusTest, OtherErrorsKeepCodeAndMessage) {
  for (const absl::Status& error :
       {absl::InternalError("broken"), absl::CancelledError("enough"),
        absl::InvalidArgumentError("no message")}) {
    const grpc::Status status = ToGrpcStatus(error);
    EXPECT_EQ(static_cast<int>(status.error_code()),
              static_cast<int>(error.code()));
    EXPECT_EQ(status.error_message(), error.message());
    EXPECT_EQ(status.error_details(), "");
  }
}

// A program may contain Google's own generated code beside ours: a second
// definition of the same name would end it at start.
TEST(ToGrpcStatusTest, ThisProgramDefinesNoMessagesOfGoogle) {
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  ASSERT_NE(pool->FindMessageTypeByName("apollo.rpc.RetryInfo"), nullptr);
  for (const char* name :
       {"google.rpc.Status", "google.rpc.BadRequest", "google.rpc.RetryInfo"}) {
    EXPECT_EQ(pool->FindMessageTypeByName(name), nullptr) << name;
  }
  for (const char* file :
       {"google/rpc/status.proto", "google/rpc/error_details.proto"}) {
    EXPECT_EQ(pool->FindFileByName(file), nullptr) << file;
  }
}

// Clients that were refused together must not come back together.
TEST(RetryDelayTest, IsSpreadByTheRequest) {
  const absl::Status full = absl::ResourceExhaustedError("full");
  std::set<absl::Duration> delays;
  for (int i = 0; i < 1000; ++i) {
    const auto delay = RetryDelay(full, "r-" + std::to_string(i));
    ASSERT_TRUE(delay.has_value());
    EXPECT_GE(*delay, absl::Seconds(1));
    EXPECT_LE(*delay, absl::Seconds(2));
    delays.insert(*delay);
  }
  EXPECT_GT(delays.size(), 500u);
  EXPECT_EQ(RetryDelay(full, "a"), RetryDelay(full, "a"));
  EXPECT_EQ(RetryDelay(full, ""), absl::Seconds(1));
  EXPECT_EQ(RetryDelay(absl::InternalError("broken"), "a"), std::nullopt);
}

TEST(RetryDelayTest, FollowsTheHintOfTheWorker) {
  absl::Status full = absl::ResourceExhaustedError("full");
  SetRetryHint(absl::Seconds(12), full);
  EXPECT_EQ(RetryDelay(full, ""), absl::Seconds(12));
  for (int i = 0; i < 100; ++i) {
    const auto delay = RetryDelay(full, "r-" + std::to_string(i));
    EXPECT_GE(*delay, absl::Seconds(12));
    EXPECT_LE(*delay, absl::Seconds(24));
  }
  SetRetryHint(absl::Milliseconds(3), full);
  EXPECT_EQ(RetryDelay(full, ""), absl::Seconds(1));
  rpc::RetryInfo retry;
  SetRetryHint(absl::Seconds(12), full);
  ASSERT_TRUE(rpc::Unpack(Details(ToGrpcStatus(full)).details(0), &retry));
  EXPECT_EQ(retry.retry_delay().seconds(), 12);
}

TEST(ToGrpcStatusTest, OkIsOk) {
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
}

}  // namespace
}  // namespace apollo

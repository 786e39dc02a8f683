#include "link/status_codec.h"

#include <gtest/gtest.h>

#include "common/retry_hint.h"
#include "proto/apollo/rpc/details.pb.h"
#include "proto/apollo/rpc/packing.h"

namespace apollo {
namespace {

TEST(StatusCodecTest, KeepsCodeMessageAndHint) {
  absl::Status full = absl::ResourceExhaustedError("full");
  EXPECT_EQ(FromGrpc(ToGrpc(full)), full);
  EXPECT_TRUE(ToGrpc(full).error_details().empty());
  SetRetryHint(absl::Milliseconds(12345), full);
  const absl::Status back = FromGrpc(ToGrpc(full));
  EXPECT_EQ(back, full);
  EXPECT_EQ(RetryHintOf(back), absl::Milliseconds(12345));
  EXPECT_TRUE(FromGrpc(ToGrpc(absl::OkStatus())).ok());
}

TEST(StatusCodecTest, OtherDetailsAreIgnored) {
  const auto code = grpc::StatusCode::RESOURCE_EXHAUSTED;
  EXPECT_EQ(FromGrpc(grpc::Status(code, "full", "\xff garbage")),
            absl::ResourceExhaustedError("full"));
  for (const auto& [seconds, nanos] :
       {std::pair(-1, 0), {0, 0}, {0, -5}, {1 << 30, 0}}) {
    rpc::RetryInfo info;
    info.mutable_retry_delay()->set_seconds(seconds);
    info.mutable_retry_delay()->set_nanos(nanos);
    rpc::Status details;
    rpc::Pack(rpc::BadRequest(), details.add_details());
    rpc::Pack(info, details.add_details());
    EXPECT_EQ(RetryHintOf(FromGrpc(
                  grpc::Status(code, "full", details.SerializeAsString()))),
              std::nullopt)
        << seconds << " " << nanos;
  }
}

}  // namespace
}  // namespace apollo

#include "serving/plaintext.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(PlaintextTest, LoopbackAndUnixSocketsAreLocal) {
  for (const char* address : {"127.0.0.1:0", "127.8.9.10:50051", "[::1]:1",
                              "localhost:7001", "unix:/run/apollo"}) {
    EXPECT_TRUE(IsLocalAddress(address)) << address;
    EXPECT_TRUE(CheckPlaintext(address).ok()) << address;
  }
}

TEST(PlaintextTest, EverythingElseIsNot) {
  for (const char* address :
       {"0.0.0.0:1", "[::]:1", ":1", "10.0.0.1:1", "128.0.0.1:1", "router:1",
        "127.example.com:1", "localhost.example.com:1", "[::2]:1", "127.0.0.1",
        ""}) {
    EXPECT_FALSE(IsLocalAddress(address)) << address;
  }
}

TEST(PlaintextTest, TheErrorNamesAddressAndTheWaysOut) {
  const absl::Status status = CheckPlaintext("0.0.0.0:50051");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  for (const char* part :
       {"0.0.0.0:50051 is not", "--tls_cert", "--allow_plaintext"}) {
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(part));
  }
}

}  // namespace
}  // namespace apollo

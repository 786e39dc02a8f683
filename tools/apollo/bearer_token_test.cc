#include "tools/apollo/bearer_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "tools/apollo/channel.h"
#include "tools/apollo/fake_server.h"
#include "tools/apollo/parse.h"

namespace apollo::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class BearerTokenTest : public testing::Test {
 protected:
  ~BearerTokenTest() override { std::remove(file_.c_str()); }
  void Write(const std::string& text) {
    std::ofstream(file_, std::ios::trunc) << text;
  }

  const std::string file_ = testing::TempDir() + "/token";
};

TEST_F(BearerTokenTest, IsOneLine) {
  Write(" abc.DEF-_~+/=\r\n");
  EXPECT_EQ(ReadToken(file_).value(), "abc.DEF-_~+/=");
  for (const std::string bad :
       {"", "\n", "one two", "secret\nsecret", "s\x01", "se\"cret",
        "s\xc3\xa9"
        "cret"}) {
    Write(bad);
    const absl::Status status = ReadToken(file_).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("--token_file"), HasSubstr(file_),
                      Not(HasSubstr("secret"))));
  }
  EXPECT_THAT(ReadToken("/nowhere/token").status().message(),
              HasSubstr("/nowhere/token"));
}

TEST_F(BearerTokenTest, GoesWithEachCallAndIsReadAgain) {
  FakeServer fake;
  fake.service.cluster.add_processes()->set_state(v1::PROCESS_STATE_READY);
  Options options;
  options.command = Command::kStatus;
  EXPECT_EQ(fake.Run(options), kOk);
  EXPECT_EQ(fake.service.authorization(), "");
  Write("first");
  options.token_file = file_;
  EXPECT_EQ(fake.Run(options), kOk);
  EXPECT_EQ(fake.service.authorization(), "Bearer first");
  EXPECT_EQ((fake.out.str() + fake.err.str()).find("first"), std::string::npos);
}

TEST_F(BearerTokenTest, ARenewedTokenIsUsedWithoutAnotherConnection) {
  OtherRouter router;
  Write("first");
  Options options;
  options.server = router.address;
  options.token_file = file_;
  const auto stub = v1::InferenceService::NewStub(MakeChannel(options).value());
  const auto sent = [&] {
    grpc::ClientContext context;
    v1::GetStatusResponse response;
    EXPECT_TRUE(stub->GetStatus(&context, {}, &response).ok());
    return router.service.authorization();
  };
  EXPECT_EQ(sent(), "Bearer first");
  Write("second");
  EXPECT_EQ(sent(), "Bearer second");
  // While it is being written.
  Write("");
  EXPECT_EQ(sent(), "Bearer second");
}

TEST_F(BearerTokenTest, NeverLeavesTheMachineInPlaintext) {
  Write("secret");
  Options options;
  options.token_file = file_;
  for (const char* local : {"127.0.0.1:1", "localhost:1", "[::1]:1",
                            "unix:/run/apollo/router.sock"}) {
    options.server = local;
    EXPECT_TRUE(MakeChannel(options).ok()) << local;
  }
  for (const char* remote : {"10.0.0.5:1", "router.example:1", "0.0.0.0:1"}) {
    options.server = remote;
    const auto channel = MakeChannel(options);
    EXPECT_EQ(channel.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(channel.status().message()),
                AllOf(HasSubstr("--token_file needs --tls_ca"),
                      HasSubstr(remote), Not(HasSubstr("secret"))));
  }
  options.token_file = "/nowhere/token";
  options.server = "127.0.0.1:1";
  EXPECT_FALSE(MakeChannel(options).ok());
}

}  // namespace
}  // namespace apollo::client

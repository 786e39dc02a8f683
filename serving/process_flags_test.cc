#include "serving/process_flags.h"

#include <absl/flags/declare.h>
#include <absl/flags/flag.h>
#include <absl/flags/reflection.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

ABSL_DECLARE_FLAG(std::string, model);
ABSL_DECLARE_FLAG(std::string, listen);
ABSL_DECLARE_FLAG(int, max_connections);
ABSL_DECLARE_FLAG(std::string, metrics_listen);
ABSL_DECLARE_FLAG(std::string, address_file);
ABSL_DECLARE_FLAG(std::string, name);
ABSL_DECLARE_FLAG(bool, strict_model);

namespace apollo {
namespace {

class ProcessFlagsTest : public testing::Test {
 protected:
  ProcessFlagsTest() { absl::SetFlag(&FLAGS_model, "/model"); }

  static void ExpectRefused(const std::string& message) {
    const auto flags = ReadProcessFlags("worker-0");
    EXPECT_EQ(flags.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(flags.status().message()),
                testing::StartsWith(message));
  }

 private:
  const absl::FlagSaver saver_;
};

TEST_F(ProcessFlagsTest, EmptyFlagsHaveTheDefaultsOfTheProgram) {
  const auto flags = ReadProcessFlags("worker-0", "127.0.0.1:7");
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->model, "/model");
  EXPECT_EQ(flags->name, "worker-0");
  EXPECT_EQ(flags->server.listen, "127.0.0.1:7");
  EXPECT_EQ(flags->server.metrics_listen, "127.0.0.1:0");
  EXPECT_EQ(flags->server.address_file, "");
  EXPECT_FALSE(flags->strict_model);
}

TEST_F(ProcessFlagsTest, GivenFlagsAreUsed) {
  const std::string file = testing::TempDir() + "/addresses";
  absl::SetFlag(&FLAGS_name, "n");
  absl::SetFlag(&FLAGS_listen, "h:1");
  absl::SetFlag(&FLAGS_metrics_listen, "h:2");
  absl::SetFlag(&FLAGS_address_file, file);
  absl::SetFlag(&FLAGS_max_connections, 3);
  absl::SetFlag(&FLAGS_strict_model, true);
  const auto flags = ReadProcessFlags("worker-0");
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->name, "n");
  EXPECT_EQ(flags->server.listen, "h:1");
  EXPECT_EQ(flags->server.metrics_listen, "h:2");
  EXPECT_EQ(flags->server.address_file, file);
  EXPECT_EQ(flags->server.max_connections, 3);
  EXPECT_TRUE(flags->strict_model);
}

TEST_F(ProcessFlagsTest, AModelIsRequired) {
  absl::SetFlag(&FLAGS_model, "");
  ExpectRefused("--model is missing");
}

TEST_F(ProcessFlagsTest, NamesAnInvalidListenAddress) {
  absl::SetFlag(&FLAGS_listen, "abc");
  ExpectRefused("--listen is \"abc\"; it must be host:port");
  absl::SetFlag(&FLAGS_listen, "unix:relative");
  ExpectRefused("--listen is \"unix:relative\"; a Unix socket must be");
}

TEST_F(ProcessFlagsTest, NamesAnInvalidMetricsAddress) {
  absl::SetFlag(&FLAGS_metrics_listen, "9090");
  ExpectRefused("--metrics_listen is \"9090\"; it must be host:port");
  absl::SetFlag(&FLAGS_metrics_listen, "unix:/run/metrics.sock");
  ExpectRefused("--metrics_listen is \"unix:/run/metrics.sock\"; it must be");
}

TEST_F(ProcessFlagsTest, NamesAnAddressFileThatCannotBeWritten) {
  absl::SetFlag(&FLAGS_address_file, "/nonexistent/addresses");
  ExpectRefused("--address_file is \"/nonexistent/addresses\"; it must be in");
}

TEST_F(ProcessFlagsTest, BoundsTheNumberOfConnections) {
  absl::SetFlag(&FLAGS_max_connections, 0);
  ExpectRefused("--max_connections is 0; it must be from 1 to ");
}

}  // namespace
}  // namespace apollo

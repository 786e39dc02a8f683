#include "serving/drain_flags.h"

#include <absl/flags/declare.h>
#include <absl/flags/flag.h>
#include <absl/flags/reflection.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "serving/dns_flags.h"

ABSL_DECLARE_FLAG(std::string, drain);
ABSL_DECLARE_FLAG(absl::Duration, drain_timeout);
ABSL_DECLARE_FLAG(std::string, dns_server);

namespace apollo {
namespace {

TEST(DrainFlagsTest, SequencesMoveByDefault) {
  const auto options = ReadDrainFlags();
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_TRUE(options->move);
  EXPECT_EQ(options->timeout, absl::Seconds(30));
}

TEST(DrainFlagsTest, GivenFlagsAreUsed) {
  const absl::FlagSaver saver;
  absl::SetFlag(&FLAGS_drain, "finish");
  absl::SetFlag(&FLAGS_drain_timeout, absl::Minutes(5));
  const auto options = ReadDrainFlags();
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_FALSE(options->move);
  EXPECT_EQ(options->timeout, absl::Minutes(5));
}

TEST(DrainFlagsTest, WrongValuesAreNamed) {
  const absl::FlagSaver saver;
  absl::SetFlag(&FLAGS_drain, "fast");
  EXPECT_EQ(std::string(ReadDrainFlags().status().message()),
            "--drain is \"fast\"; it must be \"move\" or \"finish\"");
  absl::SetFlag(&FLAGS_drain, "move");
  absl::SetFlag(&FLAGS_drain_timeout, -absl::Seconds(1));
  EXPECT_EQ(std::string(ReadDrainFlags().status().message()),
            "--drain_timeout is -1s; it must be at least 0, for example 10s");
}

TEST(DnsFlagsTest, AServerHasAnAddressAndAPort) {
  const absl::FlagSaver saver;
  EXPECT_EQ(*ReadDnsServer(), "");
  absl::SetFlag(&FLAGS_dns_server, "[::1]:5353");
  EXPECT_EQ(*ReadDnsServer(), "[::1]:5353");
  absl::SetFlag(&FLAGS_dns_server, "ns.example:53");
  const absl::Status wrong = ReadDnsServer().status();
  EXPECT_EQ(wrong.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(wrong.message()),
              testing::StartsWith("--dns_server: \"ns.example:53\""));
}

}  // namespace
}  // namespace apollo

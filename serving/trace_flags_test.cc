#include "serving/trace_flags.h"

#include <absl/flags/declare.h>
#include <absl/flags/flag.h>
#include <absl/flags/reflection.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

ABSL_DECLARE_FLAG(std::string, trace_endpoint);
ABSL_DECLARE_FLAG(std::string, trace_ca);

namespace apollo {
namespace {

class TraceFlagsTest : public testing::Test {
 protected:
  TraceFlagsTest() { process_.name = "router"; }

  absl::StatusOr<TraceSetup> Read(double sample = 1) {
    return ReadTraceFlags("apollo-router", process_, sample);
  }
  void ExpectRefused(const std::string& part, double sample = 1) {
    const absl::Status status = Read(sample).status();
    EXPECT_FALSE(status.ok()) << part;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(part));
  }

  ProcessFlags process_;

 private:
  const absl::FlagSaver saver_;
};

TEST_F(TraceFlagsTest, ByDefaultNothingIsTraced) {
  const auto setup = Read();
  ASSERT_TRUE(setup.ok());
  EXPECT_EQ(setup->tracer, nullptr);
  EXPECT_EQ(setup->metrics, nullptr);
}

TEST_F(TraceFlagsTest, ACollectorOnThisMachineNeedsNoCertificate) {
  absl::SetFlag(&FLAGS_trace_endpoint, "127.0.0.1:4317");
  const auto setup = Read(0.25);
  ASSERT_TRUE(setup.ok()) << setup.status();
  ASSERT_NE(setup->tracer, nullptr);
  EXPECT_NE(setup->metrics, nullptr);
  EXPECT_EQ(setup->tracer->sample(), 0.25);
}

TEST_F(TraceFlagsTest, ACollectorElsewhereNeedsTlsOrLeave) {
  absl::SetFlag(&FLAGS_trace_endpoint, "10.0.0.1:4317");
  ExpectRefused("10.0.0.1:4317 is not on this machine");
  process_.plaintext_allowed = true;
  EXPECT_TRUE(Read().ok());
}

TEST_F(TraceFlagsTest, WrongValuesAreRefusedByName) {
  ExpectRefused("--trace_sample is 1.5; it must be from 0 to 1", 1.5);
  ExpectRefused("--trace_sample is -1", -1);
  absl::SetFlag(&FLAGS_trace_ca, "/nowhere");
  ExpectRefused("--trace_ca is given without --trace_endpoint");
  for (const char* endpoint : {"collector", ":4317", "collector:0"}) {
    absl::SetFlag(&FLAGS_trace_endpoint, endpoint);
    ExpectRefused(std::string("--trace_endpoint is \"") + endpoint + "\"");
  }
  absl::SetFlag(&FLAGS_trace_endpoint, "127.0.0.1:4317");
  ExpectRefused("--trace_ca is \"/nowhere\"");
}

}  // namespace
}  // namespace apollo

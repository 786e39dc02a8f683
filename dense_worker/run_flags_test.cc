#include "dense_worker/run_flags.h"

#include <absl/flags/declare.h>
#include <absl/flags/flag.h>
#include <absl/flags/reflection.h>
#include <absl/time/time.h>
#include <gtest/gtest.h>

#include <cstdint>

ABSL_DECLARE_FLAG(std::int64_t, run_output_bytes);
ABSL_DECLARE_FLAG(absl::Duration, stalled_router_timeout);

namespace apollo {
namespace {

class RunFlagsTest : public testing::Test {
 private:
  const absl::FlagSaver saver_;
};

TEST_F(RunFlagsTest, TheDefaultsAreThoseOfTheLimits) {
  const auto limits = ReadRunFlags();
  ASSERT_TRUE(limits.ok()) << limits.status();
  EXPECT_EQ(limits->output_bytes, RunLimits().output_bytes);
  EXPECT_EQ(limits->stalled_router_timeout, RunLimits().stalled_router_timeout);
}

TEST_F(RunFlagsTest, EachFlagSetsItsLimit) {
  absl::SetFlag(&FLAGS_run_output_bytes, 1);
  absl::SetFlag(&FLAGS_stalled_router_timeout, absl::Seconds(7));
  const auto limits = ReadRunFlags();
  ASSERT_TRUE(limits.ok()) << limits.status();
  EXPECT_EQ(limits->output_bytes, 1);
  EXPECT_EQ(limits->stalled_router_timeout, absl::Seconds(7));
}

TEST_F(RunFlagsTest, NamesTheNumberThatIsTooLow) {
  absl::SetFlag(&FLAGS_run_output_bytes, 0);
  const auto limits = ReadRunFlags();
  EXPECT_EQ(limits.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(limits.status().message(),
            "--run_output_bytes is 0; it must be at least 1");
}

TEST_F(RunFlagsTest, NamesTheTimeThatIsTooShort) {
  absl::SetFlag(&FLAGS_stalled_router_timeout, absl::ZeroDuration());
  const auto limits = ReadRunFlags();
  EXPECT_EQ(limits.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(
      limits.status().message(),
      "--stalled_router_timeout is 0; it must be more than 0, for example "
      "10s");
}

}  // namespace
}  // namespace apollo

#include "serving/nccl_flags.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

void ExpectRefused(const absl::StatusOr<NcclFlags>& flags,
                   absl::StatusCode code, const char* part) {
  EXPECT_EQ(flags.status().code(), code);
  EXPECT_NE(flags.status().message().find(part), std::string::npos)
      << flags.status();
}

TEST(NcclFlagsTest, ByDefaultNothingLeavesTheHost) {
  for (const bool has_cuda : {false, true}) {
    const auto flags = CheckNcclFlags(false, "", has_cuda);
    ASSERT_TRUE(flags.ok());
    EXPECT_FALSE(flags->across_hosts);
    EXPECT_EQ(flags->interface, "lo");
  }
}

TEST(NcclFlagsTest, AcrossHostsNeedsAnInterfaceThatExists) {
  using absl::StatusCode;
  ExpectRefused(CheckNcclFlags(true, "", true), StatusCode::kInvalidArgument,
                "needs --nccl_interface");
  ExpectRefused(CheckNcclFlags(true, "no-such-0", true),
                StatusCode::kInvalidArgument, "\"no-such-0\"");
  ExpectRefused(CheckNcclFlags(false, "lo", true), StatusCode::kInvalidArgument,
                "without --nccl_across_hosts");
  const auto flags = CheckNcclFlags(true, "lo", true);
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_TRUE(flags->across_hosts);
}

TEST(NcclFlagsTest, WithoutCudaTheyAreRefused) {
  for (const auto& flags : {CheckNcclFlags(true, "lo", false),
                            CheckNcclFlags(false, "lo", false)}) {
    ExpectRefused(flags, absl::StatusCode::kFailedPrecondition,
                  "--config=cuda");
  }
}

}  // namespace
}  // namespace apollo

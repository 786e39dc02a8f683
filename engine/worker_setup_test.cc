#include "engine/worker_setup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace apollo {
namespace {

using testing::HasSubstr;

WorkerFlags Flags() {
  WorkerFlags flags;
  flags.model.model = "tests/golden/published";
  flags.model.cache_megabytes = 1;
  flags.threads = 1;
  return flags;
}

std::string ErrorOf(const WorkerFlags& flags, const std::string& families) {
  const auto setup = OpenWorkerSetup(flags, families);
  EXPECT_FALSE(setup.ok());
  return std::string(setup.status().message());
}

TEST(WorkerSetupTest, OpensAModelForItsFlags) {
  WorkerFlags flags = Flags();
  flags.model.weights = "int8";
  const auto setup = OpenWorkerSetup(flags, /*families_file=*/"");
  ASSERT_TRUE(setup.ok()) << setup.status();
  EXPECT_EQ((*setup)->threads, 1);
  EXPECT_EQ((*setup)->weights, "int8");
  EXPECT_EQ((*setup)->model.model.config.num_experts, 7);
  EXPECT_EQ((*setup)->families.families().size(), 7u);
}

TEST(WorkerSetupTest, NamesTheFlagOrFileThatIsWrong) {
  WorkerFlags flags = Flags();
  flags.threads = -1;
  EXPECT_THAT(ErrorOf(flags, ""), HasSubstr("--threads is -1"));
  flags = Flags();
  flags.model.weights = "int3";
  EXPECT_THAT(ErrorOf(flags, ""), HasSubstr("--weights is \"int3\""));
  flags = Flags();
  flags.model.cache_megabytes = 0;
  EXPECT_THAT(ErrorOf(flags, ""), HasSubstr("--cache_megabytes is 0"));
  flags = Flags();
  flags.model.cache_dtype = "fp16";
  EXPECT_THAT(ErrorOf(flags, ""), HasSubstr("--cache_dtype is \"fp16\""));
  flags = Flags();
  flags.model.model = "/nonexistent";
  EXPECT_THAT(ErrorOf(flags, ""), HasSubstr("/nonexistent/config.json"));
  EXPECT_THAT(ErrorOf(Flags(), "/nonexistent/families"),
              HasSubstr("/nonexistent/families"));
}

}  // namespace
}  // namespace apollo

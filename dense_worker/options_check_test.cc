#include "dense_worker/options_check.h"

#include <gtest/gtest.h>

#include <climits>

namespace apollo {
namespace {

TEST(OptionsCheckTest, AStepFitsIntoOneFrame) {
  ModelConfig config;
  config.hidden_size = 4096;
  DenseCore::Options options;
  EXPECT_TRUE(CheckOptions(options, config).ok());
  for (const int good : {1, 65536}) {
    options.scheduler.token_budget = good;
    EXPECT_TRUE(CheckOptions(options, config).ok());
  }
  for (const int bad : {0, -1, 65537, INT_MAX}) {
    options.scheduler.token_budget = bad;
    EXPECT_EQ(CheckOptions(options, config).code(),
              absl::StatusCode::kInvalidArgument);
  }
  options.scheduler.token_budget = 65537;
  EXPECT_EQ(CheckOptions(options, config).message(),
            "--token_budget is 65537; it must be from 1 to 65536, as many rows "
            "of this model as one frame between workers holds");
}

}  // namespace
}  // namespace apollo

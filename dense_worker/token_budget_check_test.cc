#include "dense_worker/token_budget_check.h"

#include <gtest/gtest.h>

#include <climits>

namespace apollo {
namespace {

TEST(TokenBudgetCheckTest, AStepFitsIntoOneFrame) {
  ModelConfig config;
  config.hidden_size = 4096;
  for (const int good : {1, 512, 65536}) {
    EXPECT_TRUE(CheckTokenBudget(good, config).ok());
  }
  for (const int bad : {0, -1, 65537, INT_MAX}) {
    EXPECT_EQ(CheckTokenBudget(bad, config).code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(
      CheckTokenBudget(65537, config).message(),
      "--token_budget is 65537; it must be from 1 to 65536, the rows of this "
      "model that fit into one frame between workers");
}

}  // namespace
}  // namespace apollo

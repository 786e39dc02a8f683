#include "common/log_budget.h"

#include <gtest/gtest.h>

#include "common/fake_clock.h"

namespace apollo {
namespace {

TEST(LogBudgetTest, HoldsBackWhatIsTooMuchForASecond) {
  FakeClock clock;
  LogBudget budget(clock, /*lines_per_second=*/2);
  EXPECT_EQ(budget.Take(), 0);
  EXPECT_EQ(budget.Take(), 0);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(budget.Take(), std::nullopt);
  clock.now += absl::Milliseconds(999);
  EXPECT_EQ(budget.Take(), std::nullopt);
  clock.now += absl::Milliseconds(1);
  EXPECT_EQ(budget.Take(), 6);
  EXPECT_EQ(budget.Take(), 0);
  EXPECT_EQ(budget.Take(), std::nullopt);
}

}  // namespace
}  // namespace apollo

#include "engine/cuda/absent_choices.h"

#include <gtest/gtest.h>

namespace apollo::cuda {
namespace {

// Four rows with two of five experts, and three guests.
const std::vector<std::int32_t> kAssignments = {0, 3, 1, 3, 4, 0,
                                                3, 4, 2, 0, 2};

std::vector<AbsentChoices> Find(const std::set<int>& resident,
                                std::vector<std::uint8_t> dropped = {}) {
  return FindAbsent(kAssignments, 8, 2, 5, dropped, resident);
}

using Choices = std::vector<std::int32_t>;

TEST(AbsentChoicesTest, ChoicesAreFoundWithTheirPlaceAmongAll) {
  const auto absent = Find({0, 2, 4});
  ASSERT_EQ(absent.size(), 2u);
  EXPECT_EQ(absent[0].expert, 1);
  EXPECT_EQ(absent[0].first, 3);  // After three of expert 0.
  EXPECT_EQ(absent[0].choices, Choices{2});
  EXPECT_EQ(absent[1].expert, 3);
  EXPECT_EQ(absent[1].first, 6);  // After one of expert 1 and two of expert 2.
  EXPECT_EQ(absent[1].choices, (Choices{1, 3, 6}));
}

TEST(AbsentChoicesTest, ExpertsWithoutRowsAreLeftOut) {
  EXPECT_TRUE(Find({0, 1, 2, 3, 4}).empty());
  const auto absent = FindAbsent({{0, 1}}, 2, 2, 5, {}, {0});
  ASSERT_EQ(absent.size(), 1u);
  EXPECT_EQ(absent[0].expert, 1);
}

TEST(AbsentChoicesTest, DroppedRowsHaveNoChoices) {
  const auto absent = Find({0, 2, 4}, {0, 1, 0, 0});
  ASSERT_EQ(absent.size(), 1u);
  EXPECT_EQ(absent[0].expert, 3);
  EXPECT_EQ(absent[0].first, 5);
  EXPECT_EQ(absent[0].choices, (Choices{1, 6}));
}

}  // namespace
}  // namespace apollo::cuda

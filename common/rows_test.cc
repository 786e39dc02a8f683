#include "common/rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "common/rows_testing.h"

namespace apollo {
namespace {

TEST(RowsTest, KnowsItsShape) {
  const Rows rows = Rows::FromVector({1, 2, 3, 4, 5, 6}, 2);
  EXPECT_EQ(rows.rows(), 3);
  EXPECT_EQ(rows.width(), 2);
  EXPECT_EQ(rows.numbers(), 6u);
  EXPECT_EQ(rows.bytes(), 24u);
  EXPECT_FALSE(rows.empty());
  EXPECT_EQ(rows.type(), RowType::kF32);
  EXPECT_EQ(rows.device(), Device());
  EXPECT_EQ(Numbers(rows), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(Rows().empty());
  EXPECT_TRUE(Rows::FromVector({}, 0).empty());
  EXPECT_TRUE(Rows::Host(0, 5).empty());
}

TEST(RowsTest, SlicesShareTheMemoryAndKeepItAlive) {
  Rows slice;
  {
    Rows rows = Rows::Host(3, 2);
    for (int i = 0; i < 6; ++i) rows.host()[i] = static_cast<float>(i);
    slice = rows.Slice(1, 2);
    EXPECT_EQ(slice.data(), &rows.host()[2]);
  }
  EXPECT_EQ(slice.rows(), 2);
  EXPECT_EQ(Numbers(slice), (std::vector<float>{2, 3, 4, 5}));
  EXPECT_EQ(Numbers(slice.Slice(1, 1)), (std::vector<float>{4, 5}));
  EXPECT_TRUE(slice.Slice(2, 0).empty());
}

TEST(RowsTest, TheOwnerGoesWithTheLastHandle) {
  auto owner = std::make_shared<std::vector<float>>(4);
  const std::weak_ptr<void> alive = owner;
  void* const data = owner->data();
  Rows rows(data, 2, 2, RowType::kF32, {}, std::move(owner));
  Rows slice = rows.Slice(0, 1);
  rows = Rows();
  EXPECT_FALSE(alive.expired());
  slice = Rows();
  EXPECT_TRUE(alive.expired());
}

TEST(RowsTest, WhatWasMovedFromIsEmpty) {
  Rows rows = Rows::FromVector({1, 2}, 1);
  const Rows moved = std::move(rows);
  EXPECT_TRUE(rows.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(Numbers(moved), (std::vector<float>{1, 2}));
}

TEST(RowsTest, ReshapedRowsHaveTheSameNumbers) {
  const Rows flat = Rows::FromVector({1, 2, 3, 4, 5, 6}, 6);
  const Rows rows = flat.Reshaped(3);
  EXPECT_EQ(rows.rows(), 2);
  EXPECT_EQ(rows.width(), 3);
  EXPECT_EQ(Numbers(rows.Slice(1, 1)), (std::vector<float>{4, 5, 6}));
  EXPECT_TRUE(Rows().Reshaped(3).empty());
}

TEST(RowsTest, HalfPrecisionTakesHalfTheBytes) {
  std::vector<short> memory(6);
  const Rows rows(memory.data(), 2, 3, RowType::kBf16, {}, nullptr);
  EXPECT_EQ(rows.bytes(), 12u);
  EXPECT_EQ(rows.Slice(1, 1).data(), &memory[3]);
}

TEST(RowsDeathTest, OnlyFloatsOfTheHostCanBeLookedAt) {
  std::vector<float> memory(2);
  const Rows half(memory.data(), 1, 2, RowType::kF16, {}, nullptr);
  EXPECT_DEATH(static_cast<void>(half.host()), "CheckHost|kHost");
  const Rows away(memory.data(), 1, 2, RowType::kF32, {Device::Kind::kCuda, 0},
                  nullptr);
  EXPECT_DEATH(static_cast<void>(away.host()), "CheckHost|kHost");
  EXPECT_DEATH(static_cast<void>(half.Slice(1, 1)), "count");
}

}  // namespace
}  // namespace apollo

#include "expert_worker/dispatch_policy.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

constexpr std::int64_t kRowBytes = 4096, kExpertBytes = 20'000'000;

TEST(DispatchPolicyTest, WithOnePlaceThereIsNoChoice) {
  EXPECT_EQ(PlaceRows({8, kRowBytes, std::nullopt, std::nullopt}),
            RowsPlace::kNowhere);
  EXPECT_EQ(PlaceRows({8, kRowBytes, 1'000'000, std::nullopt}),
            RowsPlace::kPeer);
  EXPECT_EQ(PlaceRows({1, kRowBytes, std::nullopt, kExpertBytes}),
            RowsPlace::kHere);
}

TEST(DispatchPolicyTest, FewRowsTravelAndManyWaitForTheWeights) {
  EXPECT_EQ(PlaceRows({1, kRowBytes, 0, kExpertBytes}), RowsPlace::kPeer);
  EXPECT_EQ(PlaceRows({2048, 2 * kRowBytes, 0, kExpertBytes}),
            RowsPlace::kHere);
}

TEST(DispatchPolicyTest, ABusyHolderLosesToALoad) {
  EXPECT_EQ(PlaceRows({1, kRowBytes, 100, kExpertBytes}), RowsPlace::kPeer);
  EXPECT_EQ(PlaceRows({1, kRowBytes, 2000, kExpertBytes}), RowsPlace::kHere);
}

TEST(DispatchPolicyTest, ASlowHolderLosesToALoad) {
  RowsToPlace rows = {1, kRowBytes, 0, kExpertBytes};  // 20 ms.
  rows.slow_answer = absl::Milliseconds(19);
  EXPECT_EQ(PlaceRows(rows), RowsPlace::kPeer);
  rows.slow_answer = absl::Milliseconds(100);
  EXPECT_EQ(PlaceRows(rows), RowsPlace::kHere);
}

TEST(DispatchPolicyTest, AnExpertThatComesAnywayNeedsNoHop) {
  EXPECT_EQ(PlaceRows({1, kRowBytes, 0, 0}), RowsPlace::kHere);
}

TEST(DispatchPolicyTest, ATieStaysWithThePeer) {
  DispatchCosts costs;
  costs.hop = absl::Milliseconds(1);
  costs.load_bytes_per_second = 1e6;
  EXPECT_EQ(PlaceRows({1, 0, 0, 1000}, costs), RowsPlace::kPeer);
  EXPECT_EQ(PlaceRows({1, 0, 0, 999}, costs), RowsPlace::kHere);
}

}  // namespace
}  // namespace apollo

#include "link/backlog.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(BacklogTest, ReportsRoomOnceAndOnlyAfterItWasMissing) {
  int told = 0;
  const auto backlog = Backlog::Make(100, [&told] { ++told; });
  EXPECT_TRUE(backlog->HasRoom());
  auto first = backlog->Add(60);
  EXPECT_TRUE(backlog->HasRoom());
  auto second = backlog->Add(60);
  auto third = backlog->Add(45);
  EXPECT_EQ(backlog->bytes(), 165u);
  EXPECT_FALSE(backlog->HasRoom());
  EXPECT_FALSE(backlog->HasRoom());
  first.reset();  // 105 are left.
  EXPECT_EQ(told, 0);
  second.reset();  // 45: less than half.
  EXPECT_EQ(told, 1);
  third.reset();
  EXPECT_EQ(told, 1);
  EXPECT_EQ(backlog->bytes(), 0u);
  // Nothing has asked for room.
  first = backlog->Add(1000);
  first.reset();
  EXPECT_EQ(told, 1);
}

TEST(BacklogTest, ABlockLargerThanTheLimitFitsAlone) {
  const auto backlog = Backlog::Make(100, [] {});
  EXPECT_TRUE(backlog->HasRoom());
  const auto large = backlog->Add(1000);
  EXPECT_FALSE(backlog->HasRoom());
}

TEST(BacklogTest, AStoppedBacklogCallsNothingAndMayOutliveItsOwner) {
  int told = 0;
  auto backlog = Backlog::Make(100, [&told] { ++told; });
  auto held = backlog->Add(100);
  EXPECT_FALSE(backlog->HasRoom());
  EXPECT_TRUE(backlog->Stop());
  EXPECT_FALSE(backlog->Stop());
  EXPECT_TRUE(backlog->HasRoom());
  backlog.reset();
  held.reset();
  EXPECT_EQ(told, 0);
}

}  // namespace
}  // namespace apollo

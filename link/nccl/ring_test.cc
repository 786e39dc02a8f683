// The ring of received rows: both ends compute the same places, and none is
// used twice at a time.
#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "link/nccl/fake_nccl.h"
#include "link/nccl/receive_ring.h"
#include "link/nccl/ring_layout.h"

namespace apollo {
namespace {

TEST(RingLayoutTest, TheLargestPayloadFitsAtEveryPosition) {
  constexpr std::size_t kBytes = 8 * RingLayout::kAlignment;
  for (std::size_t before = 1; before <= kBytes / 2; ++before) {
    RingLayout ring(kBytes);
    ASSERT_TRUE(ring.Next(before));
    ring.SetFreed(ring.taken());
    const auto place = ring.Next(ring.largest());
    ASSERT_TRUE(place) << before;
    EXPECT_LE(place->offset + ring.largest(), kBytes);
  }
}

TEST(RingLayoutTest, LargerPayloadsNeverFit) {
  RingLayout ring(8 * RingLayout::kAlignment);
  EXPECT_FALSE(ring.Next(ring.largest() + 1));
}

TEST(ReceiveRingTest, RowsInUseNeverOverlapAndTheSenderKnowsThePlaces) {
  FakeNccl nccl;
  const auto device = nccl.NewDevice(0);
  constexpr std::size_t kBytes = 64 * RingLayout::kAlignment;
  int freed = 0;
  const auto made = ReceiveRing::Make(*device, kBytes, [&] { ++freed; });
  ASSERT_TRUE(made.ok());
  RingLayout sender(kBytes);
  std::mt19937 random(1);
  std::vector<Rows> kept;
  for (int i = 0; i < 2000; ++i) {
    const int width = 1 + static_cast<int>(random() % 2000);
    const auto place = sender.Next(width * sizeof(float));
    if (place) {
      auto rows = (*made)->Take(1, width, RowType::kF32);
      ASSERT_TRUE(rows.ok()) << rows.status();
      const auto* const begin = static_cast<std::byte*>(rows->data());
      for (Rows& other : kept) {
        const auto* const from = static_cast<std::byte*>(other.data());
        EXPECT_TRUE(from + other.bytes() <= begin ||
                    begin + rows->bytes() <= from);
      }
      kept.push_back(*std::move(rows));
    }
    if (!place || random() % 2 == 0) {
      if (kept.empty()) continue;
      kept.erase(kept.begin() + random() % kept.size());
      sender.SetFreed((*made)->freed_bytes());
    }
  }
  kept.clear();
  EXPECT_EQ((*made)->freed_bytes(), sender.taken());
  EXPECT_GT(freed, 100);
}

TEST(ReceiveRingTest, ASenderBeyondItsCreditIsRefused) {
  FakeNccl nccl;
  const auto device = nccl.NewDevice(0);
  const auto made =
      ReceiveRing::Make(*device, 4 * RingLayout::kAlignment, [] {});
  ASSERT_TRUE(made.ok());
  const auto first = (*made)->Take(1, 128, RowType::kF32);
  const auto second = (*made)->Take(2, 128, RowType::kF16);
  EXPECT_TRUE(first.ok() && second.ok());
  for (const int width : {1, 0, 1 << 20}) {
    EXPECT_EQ((*made)->Take(1, width, RowType::kF32).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  (*made)->Detach();
}

}  // namespace
}  // namespace apollo

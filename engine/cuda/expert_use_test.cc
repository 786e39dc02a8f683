#include "engine/cuda/expert_use.h"

#include <gtest/gtest.h>

#include <vector>

namespace apollo::cuda {
namespace {

constexpr std::int32_t kNever = 1 << 30;  // Out of range: must not be read.

// Two layers of three rows with two of five experts, with room after each
// layer.
class ExpertUseTest : public testing::Test {
 protected:
  ExpertUseTest() {
    log_.rows = 3;
    log_.top_k = 2;
    log_.experts = 5;
    log_.layers = 2;
    log_.choices = choices_.data();
    log_.choice_stride = 8;
    log_.replaced = replaced_.data();
    log_.row_stride = 4;
  }
  SliceOutcome Count(const CountedRows& counted) {
    SliceOutcome outcome;
    CountUse(log_, counted, outcome);
    return outcome;
  }

  std::vector<std::int32_t> choices_ = {0, 1, 4, 3, 1, 3, kNever, kNever,
                                        2, 0, 2, 3, 3, 4, kNever, kNever};
  std::vector<std::uint8_t> replaced_ = {0, 1, 0, 9, 0, 0, 1, 9};
  RoutingLog log_;
};

using Counts = std::vector<std::uint32_t>;

TEST_F(ExpertUseTest, EveryChoiceOfTheRowsIsCounted) {
  const SliceOutcome all = Count({0, 3, 0, -1, 2});
  EXPECT_EQ(all.layers, 2);
  EXPECT_EQ(all.expert_use, (Counts{1, 2, 0, 2, 1, 1, 0, 2, 2, 1}));
  EXPECT_EQ(all.off_family, (Counts{0, 0}));
  EXPECT_EQ(Count({1, 1, 0, -1, 2}).expert_use,
            (Counts{0, 0, 0, 1, 1, 0, 0, 1, 1, 0}));
}

TEST_F(ExpertUseTest, RowsWhoseGateDidNotChooseTheFamilyAreCounted) {
  // Layer 0: row 0 has no expert 3, and in row 1 it was put in. Layer 1: row 0
  // has none, and in row 2 it was put in.
  EXPECT_EQ(Count({0, 3, 0, 3, 2}).off_family, (Counts{2, 2}));
  EXPECT_EQ(Count({1, 2, 0, 3, 2}).off_family, (Counts{1, 1}));
}

TEST_F(ExpertUseTest, TheUseIsAlsoCountedByCacheBlock) {
  // Positions 15, 16 and 17.
  const SliceOutcome all = Count({0, 3, 15, 3, 2});
  using Bytes = std::vector<std::uint8_t>;
  EXPECT_EQ(all.use_by_block,
            (std::vector<BlockUse>{
                {Bytes{1, 1, 0, 0, 0, 1, 0, 1, 0, 0}, Bytes{1, 1}},
                {Bytes{0, 1, 0, 2, 1, 0, 0, 1, 2, 1}, Bytes{1, 1}}}));
  EXPECT_EQ(Count({0, 3, 13, 3, 2}).use_by_block.size(), 1u);
}

TEST_F(ExpertUseTest, LayersAfterAFailureAreNotRead) {
  for (int i = 8; i < 16; ++i) choices_[i] = kNever;
  const SliceOutcome outcome = Count({0, 2, 0, 4, 1});
  EXPECT_EQ(outcome.layers, 1);
  EXPECT_EQ(outcome.expert_use, (Counts{1, 1, 0, 1, 1, 0, 0, 0, 0, 0}));
  EXPECT_EQ(outcome.off_family, (Counts{2, 0}));
}

}  // namespace
}  // namespace apollo::cuda

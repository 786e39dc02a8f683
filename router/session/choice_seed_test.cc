#include "router/session/choice_seed.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <set>

namespace apollo {
namespace {

TEST(ChoiceSeedTest, ChoiceZeroHasTheRequestsSeed) {
  for (const std::uint64_t seed :
       {std::uint64_t{0}, std::uint64_t{5}, std::uint64_t{UINT64_MAX}}) {
    EXPECT_EQ(ChoiceSeed(seed, 0), seed);
  }
}

TEST(ChoiceSeedTest, NoChoiceRepeatsOneOfASeedNearBy) {
  std::set<std::uint64_t> seeds;
  int count = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    for (int choice = 0; choice < 8; ++choice) {
      seeds.insert(ChoiceSeed(seed, choice));
      ++count;
    }
  }
  EXPECT_EQ(static_cast<int>(seeds.size()), count);
}

// A request must give the same choices in every version.
TEST(ChoiceSeedTest, TheSeedsStayAsTheyAre) {
  EXPECT_EQ(ChoiceSeed(0, 1), 0x69e8f18a06b0129bu);
  EXPECT_EQ(ChoiceSeed(5, 7), 0x89057c744c9e4ddbu);
}

TEST(ChoiceSeedTest, EveryBitChangesAboutHalfOfTheSeed) {
  for (int choice = 1; choice < 8; ++choice) {
    int changed = 0;
    for (int bit = 0; bit < 64; ++bit) {
      changed +=
          std::popcount(ChoiceSeed(42, choice) ^
                        ChoiceSeed(42 ^ (std::uint64_t{1} << bit), choice));
    }
    EXPECT_NEAR(changed / 64.0, 32, 4) << choice;
  }
}

}  // namespace
}  // namespace apollo

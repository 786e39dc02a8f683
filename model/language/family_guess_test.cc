#include "model/language/family_guess.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(GuessFamilyTest, LanguagesOfOneFamilyAddUp) {
  // ha (family 6) is the most probable language, family 4 the most probable
  // family.
  const Detection detection{{{"ha", 0.40}, {"da", 0.31}, {"no", 0.25}}};
  const auto guess = GuessFamily(detection, FamilyTable::Paper());
  ASSERT_TRUE(guess.has_value());
  EXPECT_EQ(guess->expert, 4);
  EXPECT_NEAR(guess->confidence, 0.56, 1e-12);
}

TEST(GuessFamilyTest, ATieGoesToTheLikelierLanguage) {
  const Detection detection{{{"zh", 0.5}, {"ja", 0.5}}};
  const auto guess = GuessFamily(detection, FamilyTable::Paper());
  ASSERT_TRUE(guess.has_value());
  EXPECT_EQ(guess->expert, 0);
}

TEST(GuessFamilyTest, NothingKnownIsNothing) {
  EXPECT_FALSE(GuessFamily({}, FamilyTable::Paper()).has_value());
  EXPECT_FALSE(GuessFamily({{{"fi", 0.9}}}, FamilyTable::Paper()).has_value());
}

TEST(GuessFamilyTest, RoundingNeverExceedsOne) {
  const Detection detection{{{"da", 0.6}, {"no", 0.4000000001}}};
  EXPECT_LE(GuessFamily(detection, FamilyTable::Paper())->confidence, 1.0);
}

}  // namespace
}  // namespace apollo

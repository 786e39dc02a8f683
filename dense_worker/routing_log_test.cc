#include "dense_worker/routing_log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/fake_clock.h"

namespace apollo {
namespace {

// Two sparse layers, 3 and 4, with three experts, two of them for each token.
ModelConfig Config() {
  ModelConfig config;
  config.num_layers = 5;
  config.boundary = 3;
  config.num_experts = 3;
  config.experts_per_token = 2;
  return config;
}

class RoutingLogTest : public testing::Test {
 protected:
  void Add(const std::string& language, std::vector<std::uint32_t> use,
           std::vector<std::uint32_t> off_family = {0, 0},
           bool has_family = true) {
    log_.Add({language, has_family, use, off_family});
  }
  // One token that uses experts 0 and 1 in both layers.
  void AddOne(const std::string& language) {
    Add(language, {1, 1, 0, 1, 1, 0});
  }
  std::uint64_t Tokens(absl::Duration window) {
    std::uint64_t tokens = 0;
    for (const LanguageUse& use : log_.Counts(window).languages) {
      tokens += use.tokens;
    }
    return tokens;
  }

  FakeClock clock_;
  RoutingLog log_{Config(), LanguageLabels(FamilyTable::Paper()), clock_};
};

TEST_F(RoutingLogTest, CountsByLanguageLayerAndExpert) {
  Add("de", {2, 1, 1, 0, 2, 2}, {1, 2});
  Add("ar", {1, 1, 0, 0, 1, 1}, {0, 0}, /*has_family=*/false);
  Add("de", {1, 0, 1, 1, 1, 0}, {0, 1});
  clock_.now += absl::Seconds(7);
  const RoutingCounts counts = log_.Counts(absl::ZeroDuration());
  EXPECT_EQ(counts.covered, absl::Seconds(7));
  ASSERT_EQ(counts.languages.size(), 2u);
  EXPECT_EQ(counts.languages[0].language, "ar");
  EXPECT_EQ(counts.languages[0].tokens, 1u);
  EXPECT_EQ(counts.languages[0].family_tokens, 0u);
  const LanguageUse& de = counts.languages[1];
  EXPECT_EQ(de.language, "de");
  EXPECT_EQ(de.tokens, 3u);
  EXPECT_EQ(de.family_tokens, 3u);
  ASSERT_EQ(de.layers.size(), 2u);
  EXPECT_EQ(de.layers[0].layer, 3);
  EXPECT_EQ(de.layers[0].tokens_by_expert,
            (std::vector<std::uint64_t>{3, 1, 2}));
  EXPECT_EQ(de.layers[0].off_family_tokens, 1u);
  EXPECT_EQ(de.layers[1].layer, 4);
  EXPECT_EQ(de.layers[1].tokens_by_expert,
            (std::vector<std::uint64_t>{1, 3, 2}));
  EXPECT_EQ(de.layers[1].off_family_tokens, 3u);
}

TEST_F(RoutingLogTest, UnknownLanguagesShareOneLabel) {
  for (int i = 0; i < 1000; ++i) AddOne("x" + std::to_string(i));
  AddOne("");
  const RoutingCounts counts = log_.Counts(absl::ZeroDuration());
  ASSERT_EQ(counts.languages.size(), 1u);
  EXPECT_EQ(counts.languages[0].language, "und");
  EXPECT_EQ(counts.languages[0].tokens, 1001u);
}

TEST_F(RoutingLogTest, AWindowCoversTheMinutesItOverlaps) {
  AddOne("de");  // Minute 0.
  clock_.now += absl::Seconds(90);
  AddOne("de");  // Minute 1, at 90 s.
  clock_.now += absl::Seconds(60);
  AddOne("ar");  // Minute 2, at 150 s.
  EXPECT_EQ(Tokens(absl::ZeroDuration()), 3u);
  // Back to 140 s: minute 2, which began at 120 s.
  EXPECT_EQ(Tokens(absl::Seconds(10)), 1u);
  EXPECT_EQ(log_.Counts(absl::Seconds(10)).covered, absl::Seconds(30));
  EXPECT_EQ(Tokens(absl::Seconds(30)), 1u);
  // Back to 119 s: minute 1 too.
  EXPECT_EQ(Tokens(absl::Seconds(31)), 2u);
  EXPECT_EQ(log_.Counts(absl::Seconds(31)).covered, absl::Seconds(90));
  EXPECT_EQ(Tokens(absl::Seconds(91)), 3u);
  // No window begins before the start.
  EXPECT_EQ(Tokens(absl::Hours(1)), 3u);
  EXPECT_EQ(log_.Counts(absl::Hours(1)).covered, absl::Seconds(150));
}

TEST_F(RoutingLogTest, OldMinutesAreForgottenButNotTheTotal) {
  for (int minute = 0; minute < 200; ++minute) {
    AddOne("de");
    clock_.now += absl::Minutes(1);
  }
  // Now is the start of minute 200, in which nothing was counted.
  EXPECT_EQ(Tokens(absl::ZeroDuration()), 200u);
  EXPECT_EQ(Tokens(absl::Minutes(1)), 1u);
  EXPECT_EQ(Tokens(absl::Hours(1)), 60u);
  EXPECT_EQ(Tokens(absl::Hours(3)), 60u) << "cut to the longest window";
  clock_.now += absl::Hours(2);
  EXPECT_EQ(Tokens(absl::Hours(1)), 0u);
  EXPECT_EQ(log_.Counts(absl::Hours(1)).languages.size(), 0u);
  EXPECT_EQ(Tokens(absl::ZeroDuration()), 200u);
}

TEST_F(RoutingLogTest, IgnoresTokensWithoutExpertsOrOfAnotherShape) {
  Add("de", {0, 0, 0, 0, 0, 0});
  Add("de", {1, 1, 0});
  Add("de", {1, 1, 0, 1, 1, 0}, {0});
  Add("de", {});
  EXPECT_TRUE(log_.Counts(absl::ZeroDuration()).languages.empty());
}

}  // namespace
}  // namespace apollo

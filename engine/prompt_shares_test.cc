#include "engine/prompt_shares.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace apollo {
namespace {

using Prompts = std::vector<PromptLeft>;
using Shares = std::vector<int>;

TEST(PromptSharesTest, PromptsOfOneLengthRunInOrder) {
  EXPECT_EQ(SharePromptRows(Prompts{{0, 100}, {0, 100}, {0, 90}}, 64, true),
            (Shares{64, 0, 0}));
  EXPECT_EQ(SharePromptRows(Prompts{{0, 36}, {0, 100}, {0, 90}}, 64, true),
            (Shares{36, 28, 0}));
}

TEST(PromptSharesTest, ShortOnesGetHalfBesideALongOne) {
  EXPECT_EQ(SharePromptRows(Prompts{{0, 8000}, {0, 20}}, 16, true),
            (Shares{8, 8}));
  // Shortest first. The long prompt gets the rows that they do not need.
  EXPECT_EQ(SharePromptRows(Prompts{{0, 8000}, {0, 20}, {0, 5}}, 16, true),
            (Shares{8, 3, 5}));
  EXPECT_EQ(SharePromptRows(Prompts{{0, 8000}, {0, 2}, {0, 1}}, 16, true),
            (Shares{13, 2, 1}));
  // At most half as long counts as short.
  EXPECT_EQ(SharePromptRows(Prompts{{0, 100}, {0, 51}, {0, 50}}, 16, true),
            (Shares{8, 0, 8}));
}

TEST(PromptSharesTest, WhoeverFollowsTheFirstGetsTheRest) {
  EXPECT_EQ(
      SharePromptRows(Prompts{{0, 4}, {0, 100}, {0, 10}, {0, 60}}, 40, true),
      (Shares{4, 26, 10, 0}));
  EXPECT_EQ(SharePromptRows(Prompts{{0, 4}, {0, 5}}, 40, true), (Shares{4, 5}));
}

TEST(PromptSharesTest, ALowerPriorityGetsWhatIsLeft) {
  EXPECT_EQ(SharePromptRows(Prompts{{-1, 60}, {0, 8000}, {0, 2}}, 40, true),
            (Shares{40, 0, 0}));
  EXPECT_EQ(SharePromptRows(Prompts{{-1, 30}, {0, 8000}, {0, 2}}, 40, true),
            (Shares{30, 8, 2}));
}

TEST(PromptSharesTest, AnOddRowGoesToTheOneThatIsNamed) {
  const Prompts prompts = {{0, 100}, {0, 10}};
  EXPECT_EQ(SharePromptRows(prompts, 5, true), (Shares{3, 2}));
  EXPECT_EQ(SharePromptRows(prompts, 5, false), (Shares{2, 3}));
  EXPECT_EQ(SharePromptRows(prompts, 1, true), (Shares{1, 0}));
  EXPECT_EQ(SharePromptRows(prompts, 1, false), (Shares{0, 1}));
}

TEST(PromptSharesTest, NoPromptsAndNoRows) {
  EXPECT_EQ(SharePromptRows({}, 10, true), Shares());
  EXPECT_EQ(SharePromptRows(Prompts{{0, 5}}, 0, true), Shares{0});
}

// Random prompts of one priority come and go. All rows are used, and both
// bounds of the header hold for each prompt.
TEST(PromptSharesTest, NoPromptWaitsLongerThanTheBounds) {
  struct Prompt {
    int rows = 0, left = 0, steps = 0;
    int better_rows = 0;      // Rows of the prompts before it.
    int better_or_short = 0;  // Number of prompts of better rank or shorter.
  };
  std::mt19937 random(5);
  const auto pick = [&random](int n) { return static_cast<int>(random() % n); };
  int checked = 0;
  for (int round = 0; round < 300; ++round) {
    const int budget = 1 + pick(20);
    std::vector<Prompt> running;
    bool odd = true;
    for (int turn = 0; turn < 400; ++turn) {
      if (running.size() < 8 && pick(4) == 0) {
        Prompt next;
        next.rows = next.left = 1 + (pick(3) == 0 ? pick(600) : pick(20));
        for (Prompt& other : running) {
          next.better_rows += other.left;
          ++next.better_or_short;
          if (next.rows <= other.rows) ++other.better_or_short;
        }
        running.push_back(next);
      }
      Prompts left;
      for (const Prompt& prompt : running) left.push_back({0, prompt.left});
      const Shares shares = SharePromptRows(left, budget, odd);
      if (budget % 2 != 0) odd = !odd;
      int all = 0, given = 0;
      for (std::size_t i = 0; i < running.size(); ++i) {
        Prompt& prompt = running[i];
        all += prompt.left;
        given += shares[i];
        ASSERT_LE(shares[i], prompt.left);
        prompt.left -= shares[i];
        ++prompt.steps;
        if (prompt.left > 0) continue;
        ++checked;
        ASSERT_LE(prompt.steps,
                  2.0 * (prompt.better_rows + prompt.rows) / budget + 2);
        ASSERT_LE(
            prompt.steps,
            2.0 * prompt.rows * (2 * prompt.better_or_short + 1) / budget + 2);
      }
      ASSERT_EQ(given, std::min(all, budget));
      std::erase_if(running, [](const Prompt& p) { return p.left == 0; });
    }
  }
  EXPECT_GT(checked, 5000);
}

}  // namespace
}  // namespace apollo

#include "engine/cpu/expert_dispatch.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <set>
#include <vector>

#include "common/rows_testing.h"

namespace apollo {
namespace {

// The arithmetic of the tests: expert e multiplies by e + 1.
void RunExpert(int expert, const float* x, int numbers, float* y) {
  for (int i = 0; i < numbers; ++i) {
    y[i] = x[i] * static_cast<float>(expert + 1);
  }
}

TEST(ExpertPlanTest, SortsChoicesByExpert) {
  // Two choices of each of four rows; the third row is dropped.
  const std::vector<ExpertChoice> choices = {{2, 1}, {0, 1}, {0, 1}, {3, 1},
                                             {2, 1}, {0, 1}, {3, 1}, {2, 1}};
  const auto of = [](const ExpertPlan& plan, int expert) {
    const auto span = plan.choices(expert);
    return std::vector<int>(span.begin(), span.end());
  };
  ExpertPlan plan;
  plan.Assign(choices, 4, 2, {});
  EXPECT_EQ(of(plan, 0), (std::vector<int>{1, 2, 5}));
  EXPECT_EQ(of(plan, 1), std::vector<int>());
  EXPECT_EQ(of(plan, 2), (std::vector<int>{0, 4, 7}));
  EXPECT_EQ(of(plan, 3), (std::vector<int>{3, 6}));
  plan.Assign(choices, 4, 2, std::vector<char>{0, 0, 1, 0});
  EXPECT_EQ(of(plan, 0), (std::vector<int>{1, 2}));
  EXPECT_EQ(of(plan, 2), (std::vector<int>{0, 7}));
  EXPECT_EQ(of(plan, 3), (std::vector<int>{3, 6}));
}

// Rows of a step and of guests, with some experts absent and computed
// elsewhere. Compares the sums with naive ones. Sums are exact because all
// values are small integers.
class RoutingTest : public testing::TestWithParam<int> {
 protected:
  static constexpr int kExperts = 7, kChosen = 2, kWidth = 5;
  std::vector<float> RandomRows(int rows) {
    std::vector<float> x(static_cast<std::size_t>(rows) * kWidth);
    for (float& number : x) number = static_cast<float>(random_() % 64);
    return x;
  }
  std::mt19937 random_{1};
};

TEST_P(RoutingTest, EveryRowGetsTheSumOfItsExperts) {
  const int rows = GetParam();
  const std::set<int> resident = {0, 2, 3, 5};
  const std::vector<float> x = RandomRows(rows);
  std::vector<ExpertChoice> choices;
  std::vector<char> dropped(rows);
  for (int r = 0; r < rows; ++r) {
    dropped[r] = random_() % 8 == 0;
    const int first = static_cast<int>(random_() % kExperts);
    const int second =
        (first + 1 + static_cast<int>(random_() % (kExperts - 1))) % kExperts;
    choices.push_back({first, 0.5f});
    choices.push_back({second, 0.25f});
  }
  ExpertPlan plan;
  plan.Assign(choices, kExperts, kChosen, dropped);
  std::vector<float> outputs(choices.size() * kWidth, -1.0f);
  ExpertDispatch dispatch(kWidth);
  for (int e = 0; e < kExperts; ++e) {
    const auto mine = plan.choices(e);
    const auto run = [e](const float* in, int count, float* out) {
      RunExpert(e, in, count * kWidth, out);
    };
    if (!resident.contains(e)) {
      // The rows go to another worker, and their outputs come back.
      Rows away = GatherRows(mine, kChosen, x.data(), kWidth);
      ASSERT_EQ(away.rows(), static_cast<int>(mine.size()));
      Rows back = Rows::Host(away.rows(), kWidth);
      dispatch.Add(away.host().data(), away.rows(), back.host().data());
      dispatch.Run(run);
      for (std::size_t i = 0; i < mine.size(); ++i) {
        std::copy_n(&back.host()[i * kWidth], kWidth,
                    &outputs[static_cast<std::size_t>(mine[i]) * kWidth]);
      }
      continue;
    }
    const int guests = static_cast<int>(random_() % 20);
    const std::vector<float> guest = RandomRows(guests);
    std::vector<float> guest_out(guest.size(), -1.0f);
    for (const int c : mine) {
      dispatch.Add(&x[static_cast<std::size_t>(c / kChosen) * kWidth], 1,
                   &outputs[static_cast<std::size_t>(c) * kWidth]);
    }
    dispatch.Add(guest.data(), guests, guest_out.data());
    dispatch.Run(run);
    for (std::size_t i = 0; i < guest.size(); ++i) {
      EXPECT_EQ(guest_out[i], guest[i] * static_cast<float>(e + 1));
    }
  }
  for (int r = 0; r < rows; ++r) {
    const std::size_t at = static_cast<std::size_t>(r) * kChosen;
    std::vector<float> sum(kWidth);
    SumOfExperts({&choices[at], kChosen}, &outputs[at * kWidth], kWidth,
                 sum.data());
    for (int i = 0; i < kWidth; ++i) {
      float expected = 0;
      for (int j = 0; j < kChosen; ++j) {
        const ExpertChoice& choice = choices[at + j];
        // Outputs of a dropped row that no expert computed keep their old
        // value.
        const float output = dropped[r]
                                 ? -1.0f
                                 : x[static_cast<std::size_t>(r) * kWidth + i] *
                                       static_cast<float>(choice.expert + 1);
        expected += choice.weight * output;
      }
      EXPECT_EQ(sum[i], expected) << "row " << r;
    }
  }
}

// One row, a few rows, and more than one piece per expert.
INSTANTIATE_TEST_SUITE_P(Rows, RoutingTest, testing::Values(1, 2, 40, 4000));

TEST(ExpertDispatchTest, RowsThatLieTogetherAreNotCopied) {
  const std::vector<float> x = {1, 2, 3, 4, 5, 6};
  std::vector<float> y(6);
  ExpertDispatch dispatch(2);
  dispatch.Add(x.data(), 1, y.data());
  dispatch.Add(&x[2], 2, &y[2]);
  int calls = 0;
  dispatch.Run([&](const float* in, int rows, float* out) {
    ++calls;
    EXPECT_EQ(in, x.data());
    EXPECT_EQ(rows, 3);
    EXPECT_EQ(out, y.data());
  });
  // The order of the outputs differs from that of the inputs.
  dispatch.Add(x.data(), 1, &y[2]);
  dispatch.Add(&x[2], 1, y.data());
  dispatch.Run([&](const float* in, int rows, float* out) {
    ++calls;
    RunExpert(1, in, rows * 2, out);
  });
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(y, (std::vector<float>{6, 8, 2, 4, 0, 0}));
  // A second run has nothing to do.
  dispatch.Run([&](const float*, int, float*) { ++calls; });
  EXPECT_EQ(calls, 2);
}

TEST(ExpertDispatchTest, PiecesAreBounded) {
  constexpr int kRows = 2 * ExpertDispatch::kPieceRows + 1;
  const std::vector<float> x(kRows);
  std::vector<float> y(kRows);
  ExpertDispatch dispatch(1);
  dispatch.Add(x.data(), kRows, y.data());
  std::vector<int> pieces;
  dispatch.Run([&](const float*, int rows, float*) { pieces.push_back(rows); });
  EXPECT_EQ(pieces, (std::vector<int>{512, 512, 1}));
}

}  // namespace
}  // namespace apollo

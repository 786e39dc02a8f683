// Guests and absent experts of an expert stage on a GPU.
#include <algorithm>

#include "engine/cuda/expert_stage_testing.h"

namespace apollo {
namespace {

class CudaExpertPeersTest : public CudaExpertStageTest {
 protected:
  // Guests with several experts, more than once.
  std::vector<GuestRows> Guests(const std::vector<int>& rows) {
    std::vector<GuestRows> guests;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const int expert = static_cast<int>(i * 4 % 7);
      guests.push_back({expert, BoundaryRows(100 + static_cast<int>(i), rows[i],
                                             config_.hidden_size)});
    }
    return guests;
  }
  static std::vector<std::vector<float>> NumbersOf(
      const std::vector<Rows>& all) {
    std::vector<std::vector<float>> numbers;
    for (const Rows& rows : all) {
      EXPECT_EQ(rows.type(), RowType::kF32);
      EXPECT_EQ(rows.device().kind, Device::Kind::kCuda);
      numbers.push_back(Numbers(rows));
    }
    return numbers;
  }
};

TEST_F(CudaExpertPeersTest, GuestsAreComputedAsByTheCpu) {
  const auto gpu = LoadAll();
  const auto cpu = LoadCpu();
  const auto ours = NumbersOf(RunExperts(*gpu, 1, Guests({5, 1, 3})));
  const auto theirs = RunExperts(*cpu, 1, Guests({5, 1, 3}));
  ASSERT_EQ(ours.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    const std::span<const float> expected = theirs[i].host();
    // The activations, about 0.4, are rounded to bf16 (2^-9), and the errors of
    // 64 products with weights of 1/8 add up in squares.
    cuda::ExpectNear(ours[i], {expected.begin(), expected.end()}, 0.005, 0);
  }
}

TEST_F(CudaExpertPeersTest, GuestsBesideAStepAreAsAlone) {
  const auto stage = LoadAll();
  const std::vector<int> sizes = {5, 1, 3};
  const auto alone = NumbersOf(RunExperts(*stage, 1, Guests(sizes)));
  TestSequence with = MakeSequence(1, 20), without = MakeSequence(1, 20);
  Run(*stage, {{&without, 20}});
  const std::vector<Part> parts = {{&with, 20}};
  const auto step = Begin(*stage, parts);
  EXPECT_EQ(NumbersOf(RunLayer(*stage, *step, 1, Guests(sizes)).outputs),
            alone);
  RunLayer(*stage, *step, 2, Guests(sizes));
  Record(parts, Finish(*stage, *step, Requests(parts)));
  ExpectSame(with, without);
}

TEST_F(CudaExpertPeersTest, MoreGuestsThanAPieceAreComputedInPieces) {
  const std::vector<int> sizes = {10, 25, 6};
  const auto large = LoadAll(64), small = LoadAll(16);
  const auto expected = NumbersOf(RunExperts(*large, 2, Guests(sizes)));
  EXPECT_EQ(NumbersOf(RunExperts(*small, 2, Guests(sizes))), expected);
  TestSequence with = MakeSequence(1, 20), without = MakeSequence(1, 20);
  Run(*large, {{&without, 20}});
  const std::vector<Part> parts = {{&with, 20}};
  const auto step = Begin(*small, parts);
  RunLayer(*small, *step, 1);
  EXPECT_EQ(NumbersOf(RunLayer(*small, *step, 2, Guests(sizes)).outputs),
            expected);
  Record(parts, Finish(*small, *step, Requests(parts)));
  ExpectSame(with, without);
}

TEST_F(CudaExpertPeersTest, GuestsOfAnyKindGiveTheSame) {
  const auto stage = LoadAll();
  const auto expected = NumbersOf(RunExperts(*stage, 1, Guests({5, 2})));
  std::vector<GuestRows> guests = Guests({5, 2});
  guests[0].rows = OnDevice(guests[0].rows, RowType::kBf16);
  guests[1].rows = OnDevice(guests[1].rows, RowType::kF32);
  EXPECT_EQ(NumbersOf(RunExperts(*stage, 1, std::move(guests))), expected);
  EXPECT_TRUE(RunExperts(*stage, 1, {}).empty());
}

TEST_F(CudaExpertPeersTest, RowsThatAreComputedElsewhereGiveTheSame) {
  const auto whole = LoadAll();
  TestSequence a = MakeSequence(1, 20), b = MakeSequence(2, 7, 3);
  Run(*whole, {{&a, 20}, {&b, 7}});
  const auto here = Load({0, 2, 5}), there = Load({1, 3, 4, 6});
  TestSequence x = MakeSequence(1, 20), y = MakeSequence(2, 7, 3);
  Run(*here, {{&x, 11}}, there.get());
  Run(*here, {{&x, 9}, {&y, 7}}, there.get());
  ExpectSame(x, a);
  ExpectSame(y, b);
  // In pieces, and with no expert at all.
  const auto small = Load({}, 16);
  TestSequence v = MakeSequence(1, 20), w = MakeSequence(2, 7, 3);
  Run(*small, {{&v, 20}, {&w, 7}}, whole.get());
  ExpectSame(v, a);
  ExpectSame(w, b);
}

TEST_F(CudaExpertPeersTest, AbsentRowsAreThoseOfTheirSlices) {
  const auto stage = Load({0, 1, 2, 4, 5, 6});
  // Every row of the second and third slice uses expert 3.
  TestSequence a = MakeSequence(1, 1, 0), b = MakeSequence(2, 7, 3),
               c = MakeSequence(3, 2, 3);
  const auto step = Begin(*stage, {{&a, 1}, {&b, 7}, {&c, 2}});
  const LayerResult result = RunLayer(*stage, *step, 1);
  ASSERT_EQ(result.absent.size(), 1u);
  const AbsentRows& absent = result.absent[0];
  EXPECT_EQ(absent.expert, 3);
  EXPECT_GE(absent.rows.rows(), 9);
  EXPECT_EQ(absent.rows.type(), RowType::kBf16);
  EXPECT_EQ(absent.rows.device().kind, Device::Kind::kCuda);
  const std::vector<int> last_two(absent.slices.end() - 2, absent.slices.end());
  EXPECT_EQ(last_two, (std::vector<int>{1, 2}));
  EXPECT_EQ(absent.slices.size(), absent.rows.rows() == 9 ? 2u : 3u);
}

TEST_F(CudaExpertPeersTest, OutputsOfTheHostGiveTheSame) {
  const auto whole = LoadAll();
  TestSequence a = MakeSequence(2, 7, 3), b = MakeSequence(2, 7, 3);
  Run(*whole, {{&a, 7}});
  const auto here = Load({0, 1, 2, 4, 5});
  const std::vector<Part> parts = {{&b, 7}};
  const auto step = Begin(*here, parts);
  for (int l = config_.boundary; l < config_.num_layers; ++l) {
    LayerResult result = RunLayer(*here, *step, l);
    ASSERT_FALSE(result.absent.empty());
    auto outputs = ComputeAbsent(*whole, l, std::move(result.absent));
    // As a link without NCCL brings them.
    outputs[0] = Rows::FromVector(Numbers(*outputs[0]), config_.hidden_size);
    Resume(*here, *step, std::move(outputs));
  }
  Record(parts, Finish(*here, *step, Requests(parts)));
  ExpectSame(b, a);
}

TEST_F(CudaExpertPeersTest, GuestsContinueWhileALayerWaits) {
  const auto whole = LoadAll();
  TestSequence a = MakeSequence(1, 20), b = MakeSequence(1, 20);
  Run(*whole, {{&a, 20}});
  const auto here = Load({0, 4, 1});
  const auto alone = NumbersOf(RunExperts(*whole, 1, Guests({5, 2, 9})));
  const std::vector<Part> parts = {{&b, 20}};
  const auto step = Begin(*here, parts);
  for (int l = config_.boundary; l < config_.num_layers; ++l) {
    // Beside the step, too.
    LayerResult result = RunLayer(*here, *step, l, Guests({5, 2, 9}));
    if (l == 1) {
      EXPECT_EQ(NumbersOf(result.outputs), alone);
    }
    auto outputs = ComputeAbsent(*whole, l, std::move(result.absent));
    EXPECT_EQ(NumbersOf(RunExperts(*here, 1, Guests({5, 2, 9}))), alone);
    Resume(*here, *step, std::move(outputs));
  }
  Record(parts, Finish(*here, *step, Requests(parts)));
  ExpectSame(b, a);
}

TEST_F(CudaExpertPeersTest, RowsWithoutOutputsFailTheirSlicesAlone) {
  const auto whole = LoadAll();
  TestSequence expected = MakeSequence(1, 5, 0);
  Run(*whole, {{&expected, 5}});
  for (const int max_rows : {64, 16}) {
    const auto stage = Load({0, 1, 2, 4, 5, 6}, max_rows);
    // The second slice uses expert 3 in every row.
    TestSequence good = MakeSequence(1, 5, 0), bad = MakeSequence(2, 20, 3);
    const std::vector<Part> parts = {{&good, 5}, {&bad, 20}};
    const auto step = Begin(*stage, parts);
    for (int l = config_.boundary; l < config_.num_layers; ++l) {
      LayerResult result = RunLayer(*stage, *step, l);
      std::vector<std::optional<Rows>> outputs;
      for (AbsentRows& rows : result.absent) {
        if (rows.slices.back() == 1) {
          EXPECT_EQ(l, config_.boundary);  // Not after its failure.
          outputs.push_back(std::nullopt);
          // Nothing of the first slice may be lost with it.
          ASSERT_EQ(rows.slices, std::vector<int>{1});
          continue;
        }
        std::vector<AbsentRows> one;
        one.push_back(std::move(rows));
        outputs.push_back(
            std::move(ComputeAbsent(*whole, l, std::move(one))[0]));
      }
      if (!outputs.empty()) Resume(*stage, *step, std::move(outputs));
    }
    std::vector<TokenRequest> requests = Requests(parts);
    requests.pop_back();
    const auto outcomes = Finish(*stage, *step, std::move(requests));
    EXPECT_EQ(outcomes[0].score_logprobs, expected.logprobs);
    EXPECT_EQ(outcomes[0].layers, 2);
    EXPECT_EQ(outcomes[0].expert_use, expected.use);
    EXPECT_EQ(outcomes[1].layers, 1);
    std::uint32_t first = 0, second = 0;
    for (int e = 0; e < 7; ++e) {
      first += outcomes[1].expert_use[e];
      second += outcomes[1].expert_use[7 + e];
    }
    EXPECT_EQ(first, 40u);
    EXPECT_EQ(second, 0u);
  }
}

TEST_F(CudaExpertPeersTest, RowsThatOthersHoldStayAsTheyAre) {
  const auto stage = LoadAll();
  const auto expected = NumbersOf(RunExperts(*stage, 1, Guests({5, 1})));
  std::vector<std::vector<Rows>> held;
  for (int i = 0; i < 10; ++i) {
    held.push_back(RunExperts(*stage, 1, Guests({5, 1})));
  }
  EXPECT_GT(stage->grown(), 0);
  for (const auto& rows : held) EXPECT_EQ(NumbersOf(rows), expected);
}

}  // namespace
}  // namespace apollo

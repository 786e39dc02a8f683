#include "engine/cpu/cpu_expert_stage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "engine/cpu/cpu_expert_loader.h"
#include "kernels/logits.h"
#include "model/weights/open_model.h"

namespace apollo {
namespace {

const OpenModel& Model() {
  static const OpenModel* const model =
      new OpenModel(*OpenModelDirectory("tests/golden/published"));
  return *model;
}
const ModelConfig& Config() { return Model().config; }

// Returns boundary activations that depend only on the seed and the row.
Rows Boundary(int seed, int rows) {
  Rows boundary = Rows::Host(rows, Config().hidden_size);
  for (std::size_t i = 0; i < boundary.numbers(); ++i) {
    boundary.host()[i] = static_cast<float>(
        std::sin(1.7 * seed + 0.31 * static_cast<double>(i)));
  }
  return boundary;
}

class CpuExpertStageTest : public testing::Test {
 protected:
  std::unique_ptr<CpuExpertStage> Load(const std::set<int>& experts) {
    return *CpuExpertStage::Load(Config(), *Model().weights, experts, {1 << 20},
                                 pool_, nullptr);
  }
  std::unique_ptr<CpuExpertStage> LoadAll() {
    std::set<int> all;
    for (int e = 0; e < Config().num_experts; ++e) all.insert(e);
    return Load(all);
  }
  // Begins a step of new sequences with these numbers of rows. The second
  // sequence has a family.
  std::unique_ptr<ExpertStep> Begin(CpuExpertStage& stage,
                                    const std::vector<int>& rows,
                                    int seed = 0) {
    std::vector<ExpertSlice> slices;
    tables_.emplace_back(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      BlockTable& table = tables_.back()[i];
      EXPECT_TRUE(stage.blocks().Extend(table, BlocksFor(rows[i])));
      const bool has_family = i == 1;
      slices.push_back({&table, 0, has_family ? 3 : -1, has_family,
                        Boundary(seed + static_cast<int>(i), rows[i])});
    }
    return stage.Begin(std::move(slices));
  }
  static std::vector<float> LogitsOf(const CpuExpertStage& stage,
                                     const ExpertStep& step, int first,
                                     int count) {
    std::vector<int> rows(count);
    std::iota(rows.begin(), rows.end(), first);
    std::vector<float> logits(static_cast<std::size_t>(count) *
                              Config().vocab_size);
    stage.Logits(step, rows, logits.data());
    return logits;
  }
  static std::vector<SliceOutcome> Finish(CpuExpertStage& stage,
                                          ExpertStep& step,
                                          std::vector<TokenRequest> requests) {
    std::vector<SliceOutcome> outcomes;
    stage.Finish(step, std::move(requests),
                 [&](std::vector<SliceOutcome> o) { outcomes = std::move(o); });
    return outcomes;
  }
  static void NoneAbsent(std::vector<AbsentRows>) {
    ADD_FAILURE() << "all experts are resident";
  }
  static void NoGuests(const std::vector<Rows>& outputs) {
    EXPECT_TRUE(outputs.empty());
  }

  ThreadPool pool_{2, ThreadPool::Split::kAlways};
  std::vector<std::vector<BlockTable>> tables_;  // Must outlive the steps.
};

// Slice 0 loses one of its groups at the first split, and still has the other
// one after the second.
TEST_F(CpuExpertStageTest, ASliceThatFailedKeepsItsGroupsInFurtherSplits) {
  const auto stage = Load({});
  const auto only = [](const AbsentRows& group, int slice) {
    return group.slices == std::vector<int>{slice};
  };
  for (int seed = 0; seed < 20; ++seed) {
    const auto step = Begin(*stage, {1, 1, 1}, seed);
    std::vector<AbsentRows> groups;
    stage->RunLayer(
        *step, Config().boundary, {},
        [&](std::vector<AbsentRows> absent) { groups = std::move(absent); },
        NoGuests);
    int lost = -1, late = -1, next = -1;
    for (int g = 0; g < static_cast<int>(groups.size()); ++g) {
      if (only(groups[g], 0)) (lost < 0 ? lost : late) = g;
      if (only(groups[g], 1)) next = g;
    }
    if (late < 0 || next < 0) continue;
    std::vector<AbsentOutput> outputs;
    for (int g = 0; g < static_cast<int>(groups.size()); ++g) {
      AbsentOutput& output = outputs.emplace_back();
      output.missing = g == late || g == next;
      if (!output.missing && g != lost) {
        output.rows = std::move(groups[g].rows);  // Any numbers.
      }
    }
    bool done = false;
    const std::vector<int> first = {0, 1};
    const auto waiting = stage->Split(*step, first, std::move(outputs),
                                      [&done] { done = true; });
    EXPECT_TRUE(done);
    outputs.clear();
    for (const int g : {std::min(late, next), std::max(late, next)}) {
      AbsentOutput& output = outputs.emplace_back();
      output.missing = g == late;
      if (!output.missing) output.rows = std::move(groups[g].rows);
    }
    const std::vector<int> second = {0};
    const auto last = stage->Split(*waiting, second, std::move(outputs), [] {});
    std::vector<std::optional<Rows>> rest;
    rest.emplace_back(std::move(groups[late].rows));
    stage->Resume(*last, std::move(rest), [] {});
    return;
  }
  FAIL() << "no step has such groups";
}

TEST_F(CpuExpertStageTest, ExpertsMayComeAndGoBetweenLayers) {
  const auto whole = LoadAll();
  const auto step = Begin(*whole, {20, 7});
  const auto moving = Load({});
  const auto same = Begin(*moving, {20, 7});
  CpuExpertLoader loader(Config(), *Model().weights);
  for (int l = Config().boundary; l < Config().num_layers; ++l) {
    whole->RunLayer(*step, l, {}, NoneAbsent, NoGuests);
    for (int e = 0; e < Config().num_experts; ++e) {
      EXPECT_GT(loader.Bytes({l, e}), 0);
      auto weights = loader.Load({l, e});
      ASSERT_TRUE(weights.ok()) << weights.status();
      moving->AddExpert({l, e}, *std::move(weights));
    }
    EXPECT_EQ(moving->experts().In(l).size(),
              static_cast<std::size_t>(Config().num_experts));
    moving->RunLayer(*same, l, {}, NoneAbsent, NoGuests);
    for (int e = 0; e < Config().num_experts; ++e) {
      moving->RemoveExpert({l, e});
    }
    EXPECT_EQ(moving->experts(), LayerExperts());
  }
  EXPECT_TRUE(LogitsOf(*whole, *step, 0, 27) ==
              LogitsOf(*moving, *same, 0, 27));
}

TEST_F(CpuExpertStageTest, LayersMayHaveDifferentExperts) {
  LayerExperts experts = {2};
  experts.in_layer[Config().boundary] = {0, 5};
  const auto stage = CpuExpertStage::Load(Config(), *Model().weights, experts,
                                          {1 << 20}, pool_, nullptr);
  ASSERT_TRUE(stage.ok()) << stage.status();
  EXPECT_EQ((*stage)->experts(), experts);
  experts.in_layer[Config().boundary] = {99};
  EXPECT_EQ(CpuExpertStage::Load(Config(), *Model().weights, experts, {1 << 20},
                                 pool_, nullptr)
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(CpuExpertStageTest, RowsThatAreComputedElsewhereGiveTheSame) {
  const auto whole = LoadAll();
  const auto step = Begin(*whole, {20, 7});
  const auto here = Load({0, 2, 5}), there = Load({1, 3, 4, 6});
  const auto divided = Begin(*here, {20, 7});
  for (int l = Config().boundary; l < Config().num_layers; ++l) {
    whole->RunLayer(*step, l, {}, NoneAbsent, NoGuests);
    std::vector<GuestRows> away;
    bool done = false;
    here->RunLayer(
        *divided, l, {},
        [&](std::vector<AbsentRows> absent) {
          EXPECT_FALSE(done);
          for (AbsentRows& rows : absent) {
            EXPECT_TRUE(there->experts().everywhere.contains(rows.expert));
            EXPECT_FALSE(rows.slices.empty());
            away.push_back({rows.expert, std::move(rows.rows)});
          }
        },
        [&](const std::vector<Rows>&) { done = true; });
    ASSERT_TRUE(done && !away.empty());
    std::vector<std::optional<Rows>> back;
    there->RunExperts(l, std::move(away), [&](std::vector<Rows> outputs) {
      for (Rows& rows : outputs) back.push_back(std::move(rows));
    });
    bool resumed = false;
    here->Resume(*divided, std::move(back), [&] { resumed = true; });
    EXPECT_TRUE(resumed);
  }
  EXPECT_TRUE(LogitsOf(*whole, *step, 0, 27) ==
              LogitsOf(*here, *divided, 0, 27));
  const auto a = Finish(*whole, *step, {});
  const auto b = Finish(*here, *divided, {});
  ASSERT_EQ(a.size(), 2u);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(a[i].layers, Config().num_sparse_layers());
    EXPECT_EQ(a[i].expert_use, b[i].expert_use);
    EXPECT_EQ(a[i].off_family, b[i].off_family);
  }
}

TEST_F(CpuExpertStageTest, RowsWithoutOutputsFailTheirSlicesAlone) {
  constexpr int kSeed = 1;  // A seed for which the next comment holds.
  const auto stage = Load({0, 1, 2, 4, 5, 6});
  // The second slice uses expert 3 in every row. The first slice does not use
  // it in its first layer.
  const auto step = Begin(*stage, {1, 7}, kSeed);
  const auto whole = LoadAll();
  const auto expected = Begin(*whole, {1, 7}, kSeed);
  const int first = Config().boundary;
  for (int l = first; l < Config().num_layers; ++l) {
    whole->RunLayer(*expected, l, {}, NoneAbsent, NoGuests);
    std::vector<AbsentRows> absent;
    stage->RunLayer(
        *step, l, {},
        [&](std::vector<AbsentRows> rows) { absent = std::move(rows); },
        NoGuests);
    // In later layers nothing is requested for a failed slice.
    std::vector<std::optional<Rows>> outputs(absent.size());
    if (l == first) {
      ASSERT_EQ(absent.size(), 1u);
      EXPECT_EQ(absent[0].expert, 3);
      ASSERT_EQ(absent[0].slices, std::vector<int>{1});
    } else {
      for (std::size_t i = 0; i < absent.size(); ++i) {
        EXPECT_EQ(absent[i].slices, std::vector<int>{0});
        std::vector<GuestRows> guests;
        guests.push_back({absent[i].expert, std::move(absent[i].rows)});
        whole->RunExperts(l, std::move(guests), [&](std::vector<Rows> rows) {
          outputs[i] = std::move(rows[0]);
        });
      }
    }
    if (!absent.empty()) stage->Resume(*step, std::move(outputs), [] {});
  }
  EXPECT_TRUE(LogitsOf(*whole, *expected, 0, 1) ==
              LogitsOf(*stage, *step, 0, 1));
  const auto outcomes = Finish(*stage, *step, {});
  EXPECT_EQ(outcomes[0].layers, Config().num_sparse_layers());
  EXPECT_EQ(outcomes[1].layers, 1);
}

TEST_F(CpuExpertStageTest, GuestsAreComputedBesideTheStepsRows) {
  const auto stage = LoadAll();
  const int layer = Config().boundary;
  const auto guests = [] {
    std::vector<GuestRows> rows;
    rows.push_back({2, Boundary(10, 5)});
    rows.push_back({6, Boundary(11, 1)});
    rows.push_back({2, Boundary(12, 3)});
    return rows;
  };
  std::vector<Rows> alone, beside;
  stage->RunExperts(layer, guests(),
                    [&](std::vector<Rows> rows) { alone = std::move(rows); });
  const auto step = Begin(*stage, {20, 7});
  stage->RunLayer(*step, layer, guests(), NoneAbsent,
                  [&](std::vector<Rows> rows) { beside = std::move(rows); });
  ASSERT_EQ(alone.size(), 3u);
  ASSERT_EQ(beside.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(alone[i].rows(), guests()[i].rows.rows());
    EXPECT_TRUE(std::equal(alone[i].host().begin(), alone[i].host().end(),
                           beside[i].host().begin(), beside[i].host().end()));
  }
}

TEST_F(CpuExpertStageTest, TokensAndScoresAreThoseOfTheLogits) {
  const auto stage = LoadAll();
  const auto step = Begin(*stage, {20, 7});
  for (int l = Config().boundary; l < Config().num_layers; ++l) {
    stage->RunLayer(*step, l, {}, NoneAbsent, NoGuests);
  }
  const int vocab = Config().vocab_size;
  const std::vector<float> logits = LogitsOf(*stage, *step, 0, 27);
  const std::vector<std::int32_t> targets = {4, 9, 2};
  const TokenCounts none;
  TokenRequest score, sample;
  score.slice = 0;
  score.score_targets = targets;
  sample.slice = 1;
  sample.sample = true;
  sample.generated = &none;
  sample.position = 7;
  sample.top_logprobs = 2;
  const auto outcomes = Finish(*stage, *step, {score, sample});
  ASSERT_EQ(outcomes.size(), 2u);
  ASSERT_EQ(outcomes[0].score_logprobs.size(), 3u);
  for (int t = 0; t < 3; ++t) {
    const float* row = &logits[static_cast<std::size_t>(17 + t) * vocab];
    EXPECT_EQ(outcomes[0].score_logprobs[t],
              row[targets[t]] - LogSumExp(row, vocab));
  }
  EXPECT_FALSE(outcomes[0].sampled.has_value());
  ASSERT_TRUE(outcomes[1].sampled.has_value());
  const float* last = &logits[static_cast<std::size_t>(26) * vocab];
  EXPECT_EQ(outcomes[1].sampled->token, ArgMax(last, vocab));
  EXPECT_EQ(outcomes[1].sampled->alternatives.size(), 2u);
  EXPECT_TRUE(outcomes[1].finite);
  EXPECT_TRUE(outcomes[0].score_alternatives.empty());
}

TEST_F(CpuExpertStageTest, ScoresBeforeTheSampledRowHaveAlternatives) {
  const auto stage = LoadAll();
  const auto step = Begin(*stage, {20});
  for (int l = Config().boundary; l < Config().num_layers; ++l) {
    stage->RunLayer(*step, l, {}, NoneAbsent, NoGuests);
  }
  const int vocab = Config().vocab_size;
  const std::vector<float> logits = LogitsOf(*stage, *step, 0, 20);
  const std::vector<std::int32_t> targets = {4, 9};
  const TokenCounts none;
  TokenRequest request;
  request.score_targets = targets;
  request.unscored_rows = 1;
  request.score_alternatives = 3;
  request.sample = true;
  request.generated = &none;
  request.position = 20;
  const auto outcomes = Finish(*stage, *step, {request});
  ASSERT_EQ(outcomes[0].score_logprobs.size(), 2u);
  ASSERT_EQ(outcomes[0].score_alternatives.size(), 6u);
  for (int t = 0; t < 2; ++t) {
    const float* row = &logits[static_cast<std::size_t>(17 + t) * vocab];
    const float log_sum = LogSumExp(row, vocab);
    EXPECT_EQ(outcomes[0].score_logprobs[t], row[targets[t]] - log_sum);
    const auto best = TopTokens(row, vocab, 3);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(outcomes[0].score_alternatives[3 * t + i],
                (TokenLogprob{best[i], row[best[i]] - log_sum}));
    }
  }
  const float* last = &logits[static_cast<std::size_t>(19) * vocab];
  EXPECT_EQ(outcomes[0].sampled->token, ArgMax(last, vocab));
}

}  // namespace
}  // namespace apollo

#include "expert_worker/expert_batch.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "common/fake_clock.h"
#include "common/rows_testing.h"
#include "expert_worker/expert_counters.h"
#include "expert_worker/sequence_table.h"
#include "model/language/families.h"
#include "model/language/language_labels.h"

namespace apollo {
namespace {

using absl::StatusCode;

ModelConfig Config() {
  ModelConfig config;
  config.hidden_size = 1;
  config.vocab_size = 10;
  config.num_experts = 2;
  config.boundary = 4;
  config.num_layers = 6;
  config.max_context = 4096;
  return config;
}

SequenceRows RowsOf(std::uint64_t sequence, int first, int count) {
  SequenceRows rows;
  rows.sequence = sequence;
  rows.attempt = 1;
  rows.first_position = first;
  rows.tokens.assign(count, 7);
  if (first == 0) {
    rows.start = SequenceStart{1, true, {}, count, 3, "sw"};
    rows.start->sampling.seed = sequence;
  }
  rows.sample = true;
  return rows;
}

class ExpertBatchTest : public testing::Test {
 protected:
  // A step whose rows are numbered from `first_number`.
  void Add(LinkId from, std::uint64_t step, std::vector<SequenceRows> sequences,
           int first_number) {
    std::vector<float> payload;
    for (const SequenceRows& s : sequences) {
      for (std::size_t r = 0; r < s.tokens.size(); ++r) {
        payload.push_back(static_cast<float>(first_number++));
      }
    }
    ASSERT_TRUE(queue_
                    .Add(from,
                         {StageStep{step, std::move(sequences)},
                          Rows::FromVector(std::move(payload), 1)},
                         config_)
                    .ok());
  }
  ExpertBatch Batch() { return {queue_.TakeBatch(), table_, config_}; }

  const ModelConfig config_ = Config();
  BlockPool blocks_{4};
  FakeClock clock_;
  const LanguageLabels labels_{FamilyTable::Paper()};
  ExpertCounters counters_{config_, labels_};
  SequenceTable table_{blocks_, counters_, clock_, /*requests=*/nullptr};
  StepQueue queue_;
};

TEST_F(ExpertBatchTest, SlicesAreTheRowsThatTakePart) {
  Add(1, 10, {RowsOf(1, 0, 3), RowsOf(2, 5, 2)}, 100);  // 2 is not open.
  Add(2, 20, {RowsOf(1, 0, 2)}, 200);
  ExpertBatch batch = Batch();
  EXPECT_EQ(batch.rows(), 5);
  const std::vector<ExpertSlice> slices = batch.TakeSlices();
  ASSERT_EQ(slices.size(), 2u);
  EXPECT_EQ(Numbers(slices[0].boundary), (std::vector<float>{100, 101, 102}));
  EXPECT_EQ(Numbers(slices[1].boundary), (std::vector<float>{200, 201}));
  EXPECT_EQ(slices[0].family, 1);
  EXPECT_TRUE(slices[0].hybrid);
  EXPECT_EQ(slices[0].blocks, &table_.Find({1, 1}, 1)->blocks);
  const std::vector<TokenRequest> requests = batch.Requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[1].slice, 1);
  EXPECT_EQ(requests[1].position, 2u);
  EXPECT_EQ(requests[1].top_logprobs, 3);
  EXPECT_EQ(requests[1].sampling.seed, 1u);
}

TEST_F(ExpertBatchTest, OneSequenceCanHaveRowsInSeveralSteps) {
  Add(1, 10, {RowsOf(1, 0, 3)}, 100);
  Add(1, 11, {RowsOf(1, 3, 1)}, 103);
  ExpertBatch batch = Batch();
  const std::vector<ExpertSlice> slices = batch.TakeSlices();
  ASSERT_EQ(slices.size(), 2u);
  EXPECT_EQ(slices[1].first_position, 3);
  EXPECT_EQ(slices[0].blocks, slices[1].blocks);
}

TEST_F(ExpertBatchTest, ALaterEntryCanTakeTheBlocksOfAnEarlierOne) {
  Add(1, 10, {RowsOf(1, 0, 16)}, 0);
  Batch();
  Add(1, 11, {RowsOf(2, 0, 48), RowsOf(1, 16, 1)}, 0);
  ExpertBatch batch = Batch();
  ASSERT_EQ(batch.TakeSlices().size(), 1u);
  const auto answers = batch.Answers(std::vector<SliceOutcome>(1), clock_.now);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].second.outputs.at(0).status.code(),
            StatusCode::kAborted);
  EXPECT_TRUE(answers[0].second.outputs.at(1).status.ok());
}

TEST_F(ExpertBatchTest, StepsAreAnsweredInOrder) {
  Add(1, 10, {RowsOf(1, 0, 3), RowsOf(2, 5, 2)}, 0);
  Add(2, 20, {RowsOf(1, 0, 2)}, 0);
  ExpertBatch batch = Batch();
  batch.TakeSlices();
  batch.Fail(std::vector<int>{1}, absl::UnavailableError("lost"));
  batch.Fail(std::vector<int>{1}, absl::UnavailableError("later"));
  ASSERT_EQ(batch.Requests().size(), 1u);
  EXPECT_EQ(batch.Requests()[0].slice, 0);
  std::vector<SliceOutcome> outcomes(2);
  for (SliceOutcome& outcome : outcomes) {
    outcome.expert_use = {1, 2, 3, 4};
    outcome.off_family = {5, 6};
  }
  outcomes[0].layers = 2;
  outcomes[1].layers = 1;
  outcomes[0].sampled = SampledToken{8, -0.5f, {{8, -0.5f}}};
  batch.CountRouting(outcomes, labels_, counters_);
  const auto answers = batch.Answers(std::move(outcomes), clock_.now);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].first, 1u);
  EXPECT_EQ(answers[0].second.step, 10u);
  EXPECT_EQ(answers[1].first, 2u);
  EXPECT_EQ(answers[1].second.step, 20u);
  const SequenceOutput& done = answers[0].second.outputs.at(0);
  EXPECT_TRUE(done.status.ok());
  EXPECT_EQ(done.position, 2);
  EXPECT_EQ(done.sampled->token, 8);
  EXPECT_EQ(done.alternatives.size(), 1u);
  EXPECT_EQ(done.expert_use, (std::vector<std::uint32_t>{1, 2, 3, 4}));
  EXPECT_EQ(done.off_family, (std::vector<std::uint32_t>{5, 6}));
  const SequenceOutput& refused = answers[0].second.outputs.at(1);
  EXPECT_EQ(refused.status.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(refused.expert_use, (std::vector<std::uint32_t>(4)));
  EXPECT_EQ(answers[1].second.outputs.at(0).status,
            absl::UnavailableError("lost"));
  // Counts of the layers of each slice: the first layer of both, and the second
  // layer of the first slice.
  const int sw = labels_.Index("sw");
  const auto use = [this, sw](int layer) {
    const auto row = counters_.expert_tokens.Row({sw, layer});
    return std::vector<std::int64_t>(row.begin(), row.end());
  };
  EXPECT_EQ(use(0), (std::vector<std::int64_t>{2, 4}));
  EXPECT_EQ(use(1), (std::vector<std::int64_t>{3, 4}));
  EXPECT_EQ(counters_.family_tokens.Row({sw, 0})[0], 5);
  EXPECT_EQ(counters_.family_tokens.Row({sw, 1})[0], 3);
  EXPECT_EQ(counters_.off_family_tokens.Row({sw, 0})[0], 10);
  EXPECT_EQ(counters_.off_family_tokens.Row({sw, 1})[0], 6);
}

TEST_F(ExpertBatchTest, ASplitBatchAnswersInParts) {
  Add(1, 10, {RowsOf(1, 0, 3), RowsOf(2, 0, 2), RowsOf(3, 5, 1)}, 0);
  Add(1, 11, {RowsOf(1, 3, 1)}, 0);
  ExpertBatch batch = Batch();
  batch.TakeSlices();
  ASSERT_EQ(batch.slices(), 3);
  EXPECT_EQ(batch.WithOtherRows({0}), (std::vector<int>{0, 2}));
  EXPECT_EQ(batch.WithOtherRows({2}), (std::vector<int>{0, 2}));
  EXPECT_EQ(batch.WithOtherRows({1}), (std::vector<int>{1}));
  ExpertBatch apart = batch.Split(std::vector<int>{0, 2});
  EXPECT_EQ(batch.rows(), 2);
  EXPECT_EQ(batch.InUse(), (std::vector<SequenceKey>{{1, 2}}));
  EXPECT_EQ(apart.rows(), 4);
  EXPECT_EQ(apart.InUse(), (std::vector<SequenceKey>{{1, 1}, {1, 1}}));
  ASSERT_EQ(batch.Requests().size(), 1u);
  EXPECT_EQ(batch.Requests()[0].slice, 0);
  apart.Fail(std::vector<int>{1}, absl::UnavailableError("lost"));
  ASSERT_EQ(apart.Requests().size(), 1u);
  EXPECT_EQ(apart.Requests()[0].slice, 0);

  const auto first = batch.Answers(std::vector<SliceOutcome>(1), clock_.now);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].second.step, 10u);
  EXPECT_TRUE(first[0].second.more);
  ASSERT_EQ(first[0].second.outputs.size(), 2u);
  EXPECT_EQ(first[0].second.outputs[0].sequence, 2u);
  EXPECT_EQ(first[0].second.outputs[1].sequence, 3u);  // It was refused.
  const auto rest = apart.Answers(std::vector<SliceOutcome>(2), clock_.now);
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_EQ(rest[0].second.step, 10u);
  EXPECT_FALSE(rest[0].second.more);
  EXPECT_EQ(rest[0].second.outputs.at(0).sequence, 1u);
  EXPECT_EQ(rest[1].second.step, 11u);
  EXPECT_EQ(rest[1].second.outputs.at(0).status,
            absl::UnavailableError("lost"));
}

TEST_F(ExpertBatchTest, TokensWithoutAFamilyAreNotOffIt) {
  SequenceRows rows = RowsOf(1, 0, 3);
  rows.start->family = -1;
  rows.start->hybrid = false;
  rows.start->language = "patient text";
  Add(1, 10, {rows}, 0);
  ExpertBatch batch = Batch();
  std::vector<SliceOutcome> outcomes(1);
  outcomes[0].expert_use = {3, 0, 0, 3};
  outcomes[0].off_family = {3, 3};
  outcomes[0].layers = 2;
  batch.CountRouting(outcomes, labels_, counters_);
  const int undetermined = labels_.Index("und");
  EXPECT_EQ(counters_.expert_tokens.Row({undetermined, 1})[1], 3);
  ASSERT_EQ(counters_.family_tokens.Row({undetermined, 1}).size(), 1u);
  EXPECT_EQ(counters_.family_tokens.Row({undetermined, 1})[0], 0);
  EXPECT_EQ(counters_.off_family_tokens.Row({undetermined, 1})[0], 0);
}

TEST_F(ExpertBatchTest, NonFiniteNumbersAreNoAnswer) {
  Add(1, 10, {RowsOf(1, 0, 3)}, 0);
  ExpertBatch batch = Batch();
  std::vector<SliceOutcome> outcomes(1);
  outcomes[0].finite = false;
  const auto answers = batch.Answers(std::move(outcomes), clock_.now);
  EXPECT_EQ(answers[0].second.outputs.at(0).status.code(),
            StatusCode::kInternal);
}

TEST_F(ExpertBatchTest, ReleasedSequencesAreNotOpened) {
  Add(1, 10, {RowsOf(1, 0, 3)}, 0);
  queue_.Cancel(1, {{{1, 1}}});
  ExpertBatch batch = Batch();
  EXPECT_EQ(batch.rows(), 0);
  EXPECT_EQ(table_.size(), 0);
  const auto answers = batch.Answers({}, clock_.now);
  EXPECT_EQ(answers[0].second.outputs.at(0).status.code(),
            StatusCode::kCancelled);
}

}  // namespace
}  // namespace apollo

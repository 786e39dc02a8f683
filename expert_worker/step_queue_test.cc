#include "expert_worker/step_queue.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace apollo {
namespace {

ModelConfig Config() {
  ModelConfig config;
  config.hidden_size = 2;
  config.vocab_size = 10;
  config.num_experts = 4;
  config.max_context = 4096;
  return config;
}

SequenceRows RowsOf(std::uint64_t sequence, std::uint32_t attempt, int count) {
  SequenceRows rows;
  rows.sequence = sequence;
  rows.attempt = attempt;
  rows.tokens.assign(count, 7);
  rows.start = SequenceStart{-1, false, {}, count, 0};
  return rows;
}

class StepQueueTest : public testing::Test {
 protected:
  absl::StatusCode Add(LinkId from, std::vector<SequenceRows> sequences,
                       int extra_numbers = 0) {
    std::size_t rows = 0;
    for (const SequenceRows& s : sequences) rows += s.tokens.size();
    std::vector<float> payload(2 * rows + extra_numbers);
    return queue_
        .Add(from,
             {StageStep{++number_, std::move(sequences)},
              Rows::FromVector(std::move(payload), 1)},
             config_)
        .code();
  }
  // Takes the next batch and returns the numbers of its steps.
  std::vector<std::uint64_t> Batch() {
    std::vector<std::uint64_t> numbers;
    for (const WaitingStep& step : queue_.TakeBatch()) {
      numbers.push_back(step.step.step);
    }
    return numbers;
  }
  const ModelConfig config_ = Config();
  std::uint64_t number_ = 0;
  StepQueue queue_;
};

using Numbers = std::vector<std::uint64_t>;

TEST_F(StepQueueTest, ABatchTakesAllWaitingSteps) {
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(Add(1, {RowsOf(1, 1, 3)}), absl::StatusCode::kOk);
  EXPECT_EQ(Add(2, {RowsOf(1, 2, 3)}), absl::StatusCode::kOk);
  EXPECT_FALSE(queue_.empty());
  const std::vector<WaitingStep> batch = queue_.TakeBatch();
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_EQ(batch[1].from, 2u);
  ASSERT_EQ(batch[1].boundary.size(), 1u);
  EXPECT_EQ(batch[1].boundary[0].rows(), 3);
  EXPECT_EQ(batch[1].boundary[0].width(), 2);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(StepQueueTest, ABatchIsBounded) {
  Add(1, {RowsOf(1, 1, 2047)});
  Add(1, {RowsOf(2, 1, 100)});
  Add(1, {RowsOf(3, 1, 1)});
  EXPECT_EQ(Batch(), (Numbers{1, 2}));
  EXPECT_EQ(Batch(), (Numbers{3}));
  // One step is taken, whatever its size.
  Add(1, {RowsOf(1, 1, 3000)});
  Add(1, {RowsOf(2, 1, 1)});
  EXPECT_EQ(Batch(), (Numbers{4}));
}

TEST_F(StepQueueTest, AttemptsAtOneSequenceDoNotShareABatch) {
  Add(1, {RowsOf(1, 1, 3)});
  Add(2, {RowsOf(1, 2, 3)});  // From another dense worker.
  Add(1, {RowsOf(1, 2, 3)});
  EXPECT_EQ(Batch(), (Numbers{1, 2}));
  EXPECT_EQ(Batch(), (Numbers{3}));
}

TEST_F(StepQueueTest, BlockedSequencesStayInTheirOrder) {
  const auto two = [](LinkId from, const SequenceRows& rows) {
    return from == 1 && rows.sequence == 2;
  };
  Add(1, {RowsOf(2, 1, 3)});
  Add(1, {RowsOf(1, 1, 1), RowsOf(2, 2, 5), RowsOf(3, 1, 7)});
  Add(2, {RowsOf(2, 1, 9)});
  EXPECT_TRUE(queue_.HasFree(two));
  const std::vector<WaitingStep> batch = queue_.TakeBatch(two);
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_EQ(batch[0].step.step, 2u);
  ASSERT_EQ(batch[0].step.sequences.size(), 2u);
  EXPECT_EQ(batch[0].step.sequences[1].sequence, 3u);
  EXPECT_EQ(batch[0].boundary[1].rows(), 7);
  EXPECT_EQ(batch[0].cancelled.size(), 2u);
  EXPECT_EQ(batch[1].from, 2u);
  EXPECT_FALSE(queue_.HasFree(two));
  EXPECT_EQ(queue_.rows(), 8);
  // Two attempts do not share a batch.
  EXPECT_EQ(Batch(), Numbers{1});
  EXPECT_EQ(Batch(), Numbers{2});
}

TEST_F(StepQueueTest, ReleasedSequencesAreMarked) {
  Add(1, {RowsOf(1, 1, 3), RowsOf(2, 1, 3)});
  Add(2, {RowsOf(1, 1, 3)});
  Add(1, {RowsOf(3, 1, 3)});
  queue_.Cancel(1, {{{1, 1}, {2, 2}}});  // Another attempt at 2.
  const std::vector<WaitingStep> batch = queue_.TakeBatch();
  ASSERT_EQ(batch.size(), 3u);
  EXPECT_EQ(batch[0].cancelled, (std::vector<char>{1, 0}));
  EXPECT_EQ(batch[1].cancelled, (std::vector<char>{0}));
}

TEST_F(StepQueueTest, ALostWorkersStepsAreDropped) {
  Add(1, {RowsOf(1, 1, 3)});
  Add(2, {RowsOf(1, 1, 3)});
  queue_.DropLink(1);
  EXPECT_EQ(Batch(), (Numbers{2}));
}

TEST_F(StepQueueTest, InvalidStepsAreRefused) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(Add(1, {RowsOf(1, 1, 3)}, 1), kInvalid);
  EXPECT_EQ(Add(1, {RowsOf(1, 1, 3)}, -1), kInvalid);
  EXPECT_EQ(Add(1, {RowsOf(1, 1, 3), RowsOf(1, 1, 3)}), kInvalid);
  EXPECT_EQ(Add(1, {RowsOf(1, 1, 0)}), kInvalid);
  SequenceRows rows = RowsOf(1, 1, 3);
  rows.tokens[2] = 10;
  EXPECT_EQ(Add(1, {rows}), kInvalid);
  rows = RowsOf(1, 1, 3);
  rows.start->family = 4;
  EXPECT_EQ(Add(1, {rows}), kInvalid);
  EXPECT_TRUE(queue_.empty());
}

// Later rows may look free by themselves: see SequenceTable::MustWait.
TEST_F(StepQueueTest, LaterRowsOfASequenceThatWaitsWaitToo) {
  const auto one_row = [](LinkId, const SequenceRows& rows) {
    return rows.tokens.size() == 1;
  };
  Add(1, {RowsOf(2, 1, 1)});
  Add(1, {RowsOf(2, 1, 5)});
  EXPECT_FALSE(queue_.HasFree(one_row));
  EXPECT_TRUE(queue_.TakeBatch(one_row).empty());
  EXPECT_EQ(Batch(), (Numbers{1, 2}));
}

}  // namespace
}  // namespace apollo

#include "expert_worker/step_answer.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

std::vector<SequenceOutput> Outputs(std::vector<std::uint64_t> sequences) {
  std::vector<SequenceOutput> outputs;
  for (const std::uint64_t sequence : sequences) {
    outputs.emplace_back().sequence = sequence;
  }
  return outputs;
}

TEST(StepAnswerTest, AWholeAnswerIsOnePart) {
  StepAnswer answer(7, 2, /*in_parts=*/true);
  EXPECT_EQ(answer.Add(Outputs({1, 2})),
            (StageResult{7, Outputs({1, 2}), false}));
  StepAnswer empty(8, 0, /*in_parts=*/true);
  EXPECT_EQ(empty.Add({}), (StageResult{8, {}, false}));
}

TEST(StepAnswerTest, PartsSayThatMoreFollow) {
  StepAnswer answer(7, 3, /*in_parts=*/true);
  EXPECT_EQ(answer.Add(Outputs({2})), (StageResult{7, Outputs({2}), true}));
  EXPECT_EQ(answer.Add(Outputs({1, 3})),
            (StageResult{7, Outputs({1, 3}), false}));
}

TEST(StepAnswerTest, AnOlderWorkerGetsTheWholeAtTheEnd) {
  StepAnswer answer(7, 3, /*in_parts=*/false);
  EXPECT_EQ(answer.Add(Outputs({2})), std::nullopt);
  EXPECT_EQ(answer.Add(Outputs({1, 3})),
            (StageResult{7, Outputs({2, 1, 3}), false}));
}

}  // namespace
}  // namespace apollo
